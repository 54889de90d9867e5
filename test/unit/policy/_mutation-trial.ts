import { basename, dirname } from 'node:path';
import { canonical } from '../../../gateway/domain/canonical.ts';
import { isArray, isObject, type Json } from '../../../gateway/domain/json.ts';
import { readSource, type SourceFile } from '../../../gateway/domain/source.ts';
import { compilePolicy, readPolicy } from '../../../gateway/policy/compile-policy.ts';
import { parseCondition } from '../../../gateway/policy/condition/parse-condition.ts';
import type { Judge } from '../../../gateway/policy/judge.ts';
import type { KnownDetector } from '../../../gateway/policy/known-detectors.ts';
import { PolicyFault } from '../../../gateway/policy/policy-fault.ts';
import { type ReadyCase, readCases } from '../../../gateway/policy/run-cases.ts';
import { textApart } from './_same-texts.ts';

/** What becomes of a mutant. The last is the one that may not be; why those before it say the same stands at `SAME`. */
export type Fate = 'does not load' | 'caught by a case' | keyof typeof SAME | 'survives';

/** Mutants that are the same policy, by rule and not by list. */
export const SAME = {
  'same YAML': 'comments, white space, kinds of quotes: YAML reads the very same value',
  'same but for people':
    'only `message`, `severity`, `doc`, `owner` or `tags` of a rule differ: they are shown, nothing is decided by them',
  'same name': 'the bundle has no `name` any more, so its folder names it, which is called the same',
  'same condition': 'white space and kinds of quotes in a condition: CEL reads the same tree',
  'same pattern':
    'the pattern in a condition is found in exactly the same texts: proved by the product of both automata',
} as const;

const FOR_PEOPLE: readonly string[] = ['message', 'severity', 'doc', 'owner', 'tags'];

/** Tries mutants of one bundle against its cases. Throws where the bundle itself does not load or hold. */
export class MutationTrial {
  readonly #path: string;
  readonly #detectors: readonly KnownDetector[];
  readonly #original: Meaning;
  /** the case that caught the last mutant first: its neighbours most often fall to the same */
  readonly #cases: ReadyCase[];

  constructor(policy: SourceFile, cases: SourceFile, detectors: readonly KnownDetector[]) {
    this.#path = policy.path;
    this.#detectors = detectors;
    const read = readCases(cases);
    if (read.problems.length > 0) throw new PolicyFault(read.problems);
    this.#cases = [...read.cases];
    this.#original = new Meaning(policy.path, readSource(policy.path, policy.text).value as Json);
    if (this.#isCaught(compilePolicy([policy], () => '', detectors)))
      throw new Error(`${policy.path} does not pass its own cases`);
  }

  fate(text: string): Fate {
    const files = [{ path: this.#path, text }];
    const { bundles, problems } = readPolicy(files, this.#detectors);
    const value = bundles[0]?.file.value as Json | undefined;
    if (problems.length > 0 || value === undefined) return 'does not load';
    const meaning = new Meaning(this.#path, value);
    const same = this.#original.sameAs(meaning);
    if (same) return same;
    if (this.#isCaught(compilePolicy(files, () => '', this.#detectors))) return 'caught by a case';
    return this.#original.samePatterns(meaning) ? 'same pattern' : 'survives';
  }

  #isCaught(judge: Judge): boolean {
    const at = this.#cases.findIndex(({ snapshot, failures }) => failures(judge.evaluate(snapshot)).length > 0);
    if (at > 0) this.#cases.unshift(...this.#cases.splice(at, 1));
    return at !== -1;
  }
}

/** What a policy decides by, in ever less detail. */
class Meaning {
  readonly #value: Json;
  readonly #folder: string;
  /** the value in each form of `FORMS` that was asked for, the one before taken further */
  readonly #forms: { readonly value: Json; readonly text: string }[] = [];

  constructor(path: string, value: Json) {
    this.#folder = basename(dirname(path));
    this.#value = value;
  }

  #form(i: number): string {
    const known = this.#forms[i];
    if (known) return known.text;
    const value = FORMS[i]?.[1](this.#forms[i - 1]?.value ?? this.#value, this.#folder) ?? this.#value;
    const text = canonical(value);
    this.#forms.push({ value, text });
    return text;
  }

  /** Why both are the same policy, without a look at patterns; undefined where they are not. */
  sameAs(other: Meaning): keyof typeof SAME | undefined {
    return FORMS.find((_, i) => this.#form(i) === other.#form(i))?.[0];
  }

  /** Whether they differ in patterns of conditions only, and those are found in the same texts. */
  samePatterns(other: Meaning): boolean {
    const [mine, theirs]: [string[], string[]] = [[], []];
    const bare = (value: Json, patterns: string[]): string =>
      canonical(overConditions(withoutWordsForPeople(value), (text) => withoutPatterns(parsed(text), patterns)));
    if (bare(this.#value, mine) !== bare(other.#value, theirs)) return false;
    return mine.length === theirs.length && mine.every((p, i) => textApart(p, theirs[i] as string) === undefined);
  }
}

const FORMS: readonly (readonly [keyof typeof SAME, (value: Json, folder: string) => Json])[] = [
  ['same YAML', (value) => value],
  ['same but for people', (value) => withoutWordsForPeople(value)],
  ['same name', (value, folder) => (isObject(value) ? { name: folder, ...value } : value)],
  ['same condition', (value) => overConditions(value, parsed)],
];

function withoutWordsForPeople(value: Json): Json {
  if (!isObject(value)) return value;
  const { rules } = value;
  if (rules === undefined || !isArray(rules)) return value;
  const bare = rules.map((rule) =>
    isObject(rule) ? Object.fromEntries(Object.entries(rule).filter(([name]) => !FOR_PEOPLE.includes(name))) : rule,
  );
  return { ...value, rules: bare };
}

function overConditions(value: Json, change: (text: string) => Json): Json {
  if (isArray(value)) return value.map((item) => overConditions(item, change));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      (name === 'when' || name === 'unless') && typeof inner === 'string'
        ? change(inner)
        : overConditions(inner, change),
    ]),
  );
}

const TREES = new Map<string, Json>();

/** The tree of a condition without places; the text where it can't be read. Most mutants leave most conditions alone. */
function parsed(text: string): Json {
  const known = TREES.get(text);
  if (known !== undefined) return known;
  if (TREES.size > 1_000) TREES.clear();
  const tree = treeOf(text);
  TREES.set(text, tree);
  return tree;
}

function treeOf(text: string): Json {
  try {
    const tree = JSON.stringify(parseCondition(text), (name, value) =>
      name === 'at' ? undefined : typeof value === 'bigint' ? `int ${value}` : value,
    );
    return JSON.parse(tree) as Json;
  } catch (error) {
    if (error instanceof Error && error.name === 'ConditionFault') return text;
    throw error;
  }
}

/** The tree with the patterns of `matches` moved to `patterns`. */
function withoutPatterns(tree: Json, patterns: string[]): Json {
  if (isArray(tree)) return tree.map((item) => withoutPatterns(item, patterns));
  if (!isObject(tree)) return tree;
  if (tree['kind'] === 'call' && tree['name'] === 'matches' && isArray(tree['args'])) {
    const last = tree['args'].at(-1) as Json;
    if (isObject(last) && typeof last['value'] === 'string') {
      patterns.push(last['value']);
      return { ...tree, args: tree['args'].slice(0, -1) };
    }
  }
  return Object.fromEntries(Object.entries(tree).map(([name, inner]) => [name, withoutPatterns(inner, patterns)]));
}
