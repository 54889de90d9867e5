import { isArray, isObject, type Json } from './json.ts';

/** A JSON Pointer (RFC 6901): '' is the whole document, '/a/0' a member and an element. */
export type Pointer = string;

const INDEX = /^(0|[1-9][0-9]*)$/;

/** The place in an array that a token names; -1 where it names none. */
export const elementIndex = (token: string): number => (INDEX.test(token) ? Number(token) : -1);

/** Splits a pointer into unescaped tokens. Throws a SyntaxError on anything RFC 6901 does not allow. */
export function pointerTokens(pointer: Pointer): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new SyntaxError(`a JSON Pointer starts with \`/\`, not \`${pointer}\``);
  const tokens = pointer.slice(1).split('/');
  if (!pointer.includes('~')) return tokens;
  if (/~(?![01])/.test(pointer)) throw new SyntaxError(`\`~\` in a JSON Pointer is written \`~0\` in \`${pointer}\``);
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The pointer of a member or element below `parent`. */
export function childPointer(parent: Pointer, token: string | number): Pointer {
  return `${parent}/${typeof token === 'number' ? token : token.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The value a pointer names, or undefined where there is none. */
export function resolvePointer(root: Json, pointer: Pointer): Json | undefined {
  let value: Json | undefined = root;
  for (const token of pointerTokens(pointer)) {
    if (isArray(value)) value = value[elementIndex(token)];
    else if (isObject(value) && Object.hasOwn(value, token)) value = value[token];
    else return undefined;
  }
  return value;
}

/** Every pointer a pattern names in `root`; a token `*` stands for each element of one array. */
export function expandPointer(root: Json, pattern: Pointer): Pointer[] {
  let found: [Pointer, Json][] = [['', root]];
  for (const token of pointerTokens(pattern)) {
    const next: [Pointer, Json][] = [];
    for (const [at, value] of found) {
      if (token === '*' && isArray(value))
        for (const [i, item] of value.entries()) next.push([childPointer(at, i), item]);
      else if (isArray(value)) {
        const item = value[elementIndex(token)];
        if (item !== undefined) next.push([childPointer(at, token), item]);
      } else if (isObject(value) && Object.hasOwn(value, token))
        next.push([childPointer(at, token), value[token] as Json]);
    }
    found = next;
  }
  return found.map(([at]) => at);
}
