import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillerValue, secretValue } from './values.ts';

/** A stretch of a text, [start, end), that a detector should find, under any one of the kinds. */
export interface Label {
  readonly kinds: readonly string[];
  readonly start: number;
  readonly end: number;
}

export interface LabelledText {
  readonly id: string;
  /** where such a text comes from: log, mail, tool … */
  readonly source: string;
  readonly text: string;
  /** empty: nothing should be found */
  readonly labels: readonly Label[];
  /** kept apart while rules are written */
  readonly heldOut: boolean;
}

const FILLER = /\{\{~(\w+)(?::(.*?))?\}\}(?!\})/g;
const MARK = /\{\{([a-z][a-z0-9_]*)\}\}|\[\[([a-z0-9_.,]+)\|(.*?)\]\](?!\])/gs;

function expand(id: string, line: number, template: string): Pick<LabelledText, 'text' | 'labels'> {
  let seed = line * 101;
  const next = (): number => {
    seed += 1;
    return seed;
  };
  const filled = template.replace(FILLER, (_, name: string, argument?: string) => fillerValue(name, argument, next()));
  const labels: Label[] = [];
  let text = '';
  let at = 0;
  for (const match of filled.matchAll(MARK)) {
    const [whole, name, kinds, marked = ''] = match;
    text += filled.slice(at, match.index);
    at = match.index + whole.length;
    const { kind, value } = name === undefined ? { kind: kinds ?? '', value: marked } : secretValue(name, next());
    labels.push({ kinds: kind.split(','), start: text.length, end: text.length + value.length });
    text += value;
  }
  text += filled.slice(at);
  if (text.includes('[[') && labels.length === 0 && /\[\[\w+\.\w+\|/.test(text))
    throw new TypeError(`label of \`${id}\` does not close`);
  return { text, labels };
}

/** The texts of `<name>.jsonl` in file order. Values of secrets and identifiers are made here and are the same in every run. */
export function loadCorpus(name: string): LabelledText[] {
  return readFileSync(join(import.meta.dirname, `${name}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line, i) => {
      const { id, source, text } = JSON.parse(line) as { id: string; source: string; text: string };
      return { id, source, heldOut: i % 3 === 2, ...expand(id, i + 1, text) };
    });
}
