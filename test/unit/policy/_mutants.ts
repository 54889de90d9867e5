import { canonical } from '../../../gateway/domain/canonical.ts';
import { isArray, isObject, type Json } from '../../../gateway/domain/json.ts';
import { readSource, type SourceFile } from '../../../gateway/domain/source.ts';
import { checkPolicy } from '../../../gateway/policy/check-policy.ts';
import { ConditionFault } from '../../../gateway/policy/condition/condition-fault.ts';
import { parseCondition } from '../../../gateway/policy/condition/parse-condition.ts';
import type { KnownDetector } from '../../../gateway/policy/known-detectors.ts';

/** One text with one character other than it was. */
export interface Mutant {
  readonly line: number;
  readonly what: string;
  readonly text: string;
}

/** Lines written for people: comments, and fields nothing decides by. */
const FOR_PEOPLE = /^\s*(?:#|(?:message|doc|reason|severity|owner|tags):|$)/;

/** Every mutant by one character of the lines that decide: the character left out, and another of its kind in its place. */
export function mutants(text: string): Mutant[] {
  const found: Mutant[] = [];
  let offset = 0;
  for (const [i, line] of text.split('\n').entries()) {
    if (!FOR_PEOPLE.test(line)) {
      for (let c = 0; c < line.length; c += 1) {
        const at = offset + c;
        const put = (by: string): Mutant => ({
          line: i + 1,
          what: `${line.slice(Math.max(0, c - 12), c)}[${line[c]}→${by}]${line.slice(c + 1, c + 12)}`,
          text: text.slice(0, at) + by + text.slice(at + 1),
        });
        found.push(put(''), put(otherThan(line.charAt(c))));
      }
    }
    offset += line.length + 1;
  }
  return found;
}

/** Lines that list tools by name: a wild card there only lets the rule meet more tools, without end, and no case can name them all. */
const TOOL_NAMES = /\[bash,|"\*__/;

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

/** Further mutants by one slip of the hand: a character typed too much or in the other case, two that changed places, any other in its place. */
export function slips(text: string): Mutant[] {
  const found: Mutant[] = [];
  let offset = 0;
  for (const [i, line] of text.split('\n').entries()) {
    const at = offset;
    offset += line.length + 1;
    if (FOR_PEOPLE.test(line)) continue;
    for (let c = 0; c < line.length; c += 1) {
      const [here, next] = [line.charAt(c), line.charAt(c + 1)];
      const put = (by: string, length = 1): void => {
        const what = `${line.slice(Math.max(0, c - 12), c)}[${line.slice(c, c + length)}→${by}]${line.slice(c + length, c + 12)}`;
        found.push({ line: i + 1, what, text: text.slice(0, at + c) + by + text.slice(at + c + length) });
      };
      put(here + here);
      put(otherThan(here) + here);
      const flipped = here === here.toUpperCase() ? here.toLowerCase() : here.toUpperCase();
      if (flipped !== here) put(flipped);
      if (next !== '' && next !== here) put(next + here, 2);
      const wild = TOOL_NAMES.test(line) ? '*?' : '';
      for (const by of PRINTABLE) if (by !== here && !wild.includes(by)) put(by);
    }
  }
  return found;
}

function otherThan(c: string): string {
  if (/[a-y]/i.test(c)) return String.fromCharCode(c.charCodeAt(0) + 1);
  if (/[0-9]/.test(c)) return String((Number(c) + 1) % 10);
  return c === '_' ? '-' : '_';
}

/** The policy without what is for people; undefined where the text is no YAML. */
function meaning(text: string): string | undefined {
  const { value } = readSource('', text);
  return value === undefined ? undefined : canonical(stripped(value as Json));
}

function stripped(value: Json): Json {
  if (isArray(value)) return value.map(stripped);
  if (!isObject(value)) return value;
  const decides = Object.entries(value).filter(([name]) => !FOR_PEOPLE.test(`${name}:`));
  return Object.fromEntries(
    decides.map(([name, inner]) => [name, isCondition(name, inner) ? parsed(inner) : stripped(inner)]),
  );
}

const isCondition = (name: string, value: Json): value is string =>
  (name === 'when' || name === 'unless') && typeof value === 'string';

/** A condition without its spacing; as it stands where it can't be read. */
function parsed(text: string): Json {
  try {
    const tree = JSON.stringify(parseCondition(text), (name, value) =>
      name === 'at' ? undefined : typeof value === 'bigint' ? `int ${value}` : value,
    );
    return JSON.parse(tree) as Json;
  } catch (error) {
    if (error instanceof ConditionFault) return text;
    throw error;
  }
}

/** The mutants that mean something else, load, and pass every case: what the cases do not pin down. */
export function survivors(
  policy: SourceFile,
  cases: SourceFile,
  detectors: readonly KnownDetector[],
  chosen: readonly Mutant[],
): Mutant[] {
  const original = meaning(policy.text);
  return chosen.filter(
    (mutant) =>
      meaning(mutant.text) !== original &&
      checkPolicy([{ path: policy.path, text: mutant.text }], detectors, [cases]).problems.length === 0,
  );
}
