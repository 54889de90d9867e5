import { RE2JS } from 're2js';

/** What this reads of a program of re2js: instructions that are alternatives, conditions of place, or take one character. */
interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  readonly runes: Int32Array;
  matchRune(rune: number): boolean;
}
interface Program {
  readonly inst: readonly Instruction[];
  readonly start: number;
}

const OP = { alt: 1, altMatch: 2, capture: 3, place: 4, fail: 5, match: 6, nop: 7, rune: 8, lastRune: 11 } as const;
const PLACE = { beginLine: 1, endLine: 2, beginText: 4, endText: 8, boundary: 16, noBoundary: 32 } as const;

const END = -1;
const NEWLINE = 10;
const isWord = (rune: number): boolean => rune !== END && /^[A-Za-z0-9_]$/.test(String.fromCodePoint(rune));

function compiled(pattern: string): Program {
  const { prog } = (RE2JS.compile(pattern) as unknown as { readonly re2Input: { readonly prog: Program } }).re2Input;
  for (const { op } of prog.inst) if (op > OP.lastRune) throw new Error(`the pattern has an instruction ${op}`);
  return prog;
}

/** A set of instructions with the character before; `found`: the pattern was found, whatever follows. */
interface State {
  readonly id: number;
  readonly from: readonly number[];
  readonly before: number;
  readonly found: boolean;
}

/** The deterministic automaton that says whether a pattern is found anywhere in a text. */
class Finder {
  readonly #program: Program;
  readonly #states = new Map<string, State>();
  readonly #steps = new Map<number, State>();
  readonly first: State;

  constructor(program: Program) {
    this.#program = program;
    this.first = this.#state([], END, false);
  }

  #state(from: readonly number[], before: number, found: boolean): State {
    const kind = before === END ? 'begin' : before === NEWLINE ? 'line' : isWord(before) ? 'word' : 'other';
    const key = found ? 'found' : `${kind} ${[...from].sort((a, b) => a - b).join()}`;
    const known = this.#states.get(key);
    if (known) return known;
    const state = { id: this.#states.size, from, before, found };
    this.#states.set(key, state);
    return state;
  }

  /** Where instructions lead before a character is taken; undefined: to a match. */
  #reached({ from, before }: State, next: number): ReadonlySet<number> | undefined {
    let here = isWord(before) === isWord(next) ? PLACE.noBoundary : PLACE.boundary;
    if (before === END) here |= PLACE.beginText | PLACE.beginLine;
    if (before === NEWLINE) here |= PLACE.beginLine;
    if (next === END) here |= PLACE.endText | PLACE.endLine;
    if (next === NEWLINE) here |= PLACE.endLine;
    const seen = new Set<number>();
    const open = [this.#program.start, ...from];
    for (let pc = open.pop(); pc !== undefined; pc = open.pop()) {
      if (seen.has(pc)) continue;
      seen.add(pc);
      const { op, out, arg } = this.#program.inst[pc] as Instruction;
      if (op === OP.match) return undefined;
      if (op === OP.alt || op === OP.altMatch) open.push(out, arg);
      else if (op === OP.capture || op === OP.nop || (op === OP.place && (arg & ~here) === 0)) open.push(out);
    }
    return seen;
  }

  step(state: State, rune: number): State {
    if (state.found) return state;
    const known = this.#steps.get(state.id * 0x11_0000 + rune);
    if (known) return known;
    const reached = this.#reached(state, rune);
    const taken = [...(reached ?? [])].flatMap((pc) => {
      const inst = this.#program.inst[pc] as Instruction;
      return inst.op >= OP.rune && inst.matchRune(rune) ? [inst.out] : [];
    });
    const next = this.#state([...new Set(taken)], rune, reached === undefined);
    this.#steps.set(state.id * 0x11_0000 + rune, next);
    return next;
  }

  finds(state: State): boolean {
    return state.found || this.#reached(state, END) === undefined;
  }
}

/** One character of each kind that the programs tell apart, readable ones first: all of ASCII and the ends of every range decide. */
function alphabet(programs: readonly Program[]): number[] {
  const takers = programs.flatMap((p) => p.inst.filter((i) => i.op >= OP.rune));
  const ends = takers.flatMap((i) => [...i.runes].flatMap((r) => [r - 1, r, r + 1]));
  const ascii = Array.from({ length: 128 }, (_, i) => i);
  const readable = [...' ax0/-;'].map((c) => c.charCodeAt(0));
  const kinds = new Map<string, number>();
  for (const rune of [...readable, ...ascii.slice(33), ...ascii, 0x17f, 0x212a, ...ends]) {
    if (rune < 0 || rune > 0x10_ffff) continue;
    const kind =
      takers.map((i) => (i.matchRune(rune) ? 1 : 0)).join('') + String(isWord(rune)) + String(rune === NEWLINE);
    if (!kinds.has(kind)) kinds.set(kind, rune);
  }
  return [...kinds.values()];
}

const MAX_PAIRS = 200_000;

/**
 * The shortest text in which only one of two RE2 patterns is found; undefined where both are found in exactly the same texts, which
 * the product of their automata decides. Throws where a pattern is no RE2 or the product grows past its bound.
 */
export function textApart(a: string, b: string): string | undefined {
  const [left, right] = [compiled(a), compiled(b)];
  const runes = alphabet([left, right]);
  const [one, two] = [new Finder(left), new Finder(right)];
  const seen = new Set<string>();
  let open: (readonly [State, State, string])[] = [[one.first, two.first, '']];
  while (open.length > 0) {
    const next: (readonly [State, State, string])[] = [];
    for (const [x, y, text] of open) {
      if (one.finds(x) !== two.finds(y)) return text;
      if (x.found && y.found) continue;
      for (const rune of runes) {
        const [p, q] = [one.step(x, rune), two.step(y, rune)];
        const pair = `${p.id} ${q.id}`;
        if (seen.has(pair)) continue;
        seen.add(pair);
        next.push([p, q, text + String.fromCodePoint(rune)]);
      }
    }
    if (seen.size > MAX_PAIRS) throw new Error('the patterns are too large to compare');
    open = next;
  }
  return undefined;
}
