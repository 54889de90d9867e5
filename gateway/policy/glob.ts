/** A selector pattern: `*` stands for any text, `?` for one character, everything else for itself. */
export type Glob =
  | { readonly kind: 'any' }
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string }
  | { readonly kind: 'suffix'; readonly text: string }
  | { readonly kind: 'general'; readonly pattern: string; readonly prefix: string; readonly suffix: string };

export function parseGlob(pattern: string): Glob {
  const first = pattern.search(/[*?]/);
  if (first === -1) return { kind: 'literal', text: pattern };
  if (pattern === '*') return { kind: 'any' };
  if (first === pattern.length - 1 && pattern.endsWith('*')) return { kind: 'prefix', text: pattern.slice(0, -1) };
  const last = Math.max(pattern.lastIndexOf('*'), pattern.lastIndexOf('?'));
  if (last === 0 && pattern.startsWith('*')) return { kind: 'suffix', text: pattern.slice(1) };
  return { kind: 'general', pattern, prefix: pattern.slice(0, first), suffix: pattern.slice(last + 1) };
}

/** How much of a name a pattern pins down: the most specific of several wins. A literal beats every pattern. */
export const specificity = (glob: string): number =>
  /[*?]/.test(glob) ? glob.replaceAll(/[*?]/g, '').length : Number.MAX_SAFE_INTEGER;

export function globMatches(glob: Glob, text: string): boolean {
  switch (glob.kind) {
    case 'any':
      return true;
    case 'literal':
      return text === glob.text;
    case 'prefix':
      return text.startsWith(glob.text);
    case 'suffix':
      return text.endsWith(glob.text);
    case 'general':
      return text.startsWith(glob.prefix) && text.endsWith(glob.suffix) && wildcard(glob.pattern, text);
  }
}

/** Greedy match with one point to fall back to: at most pattern × text steps, no recursion. */
function wildcard(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let mark = 0;
  for (let t = 0; t < text.length; ) {
    const c = pattern[p];
    if (c === '*') {
      star = p++;
      mark = t;
    } else if (c !== undefined && (c === '?' || c === text[t])) {
      p += 1;
      t += 1;
    } else if (star === -1) {
      return false;
    } else {
      p = star + 1;
      t = ++mark;
    }
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
