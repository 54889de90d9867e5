import { isArray, isObject, type Json, member } from '../../domain/json.ts';
import { fieldOf } from './field.ts';

type Tree = { [name: string]: Json } | Json[];

const STEP = /\.([^.[\]'"]+)|\[([0-9]{1,9})\]|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/y;
const DEEPEST = 64;

/** The steps of a JSON path as these streams write it (`$.a[0]["b c"]`, RFC 9535); undefined for anything else. */
function stepsOf(path: string): (string | number)[] | undefined {
  if (!path.startsWith('$')) return undefined;
  const steps: (string | number)[] = [];
  STEP.lastIndex = 1;
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path);
    if (!match || steps.length === DEEPEST) return undefined;
    const quoted = match[3] ?? match[4];
    if (match[2] !== undefined) steps.push(Number(match[2]));
    else steps.push(quoted === undefined ? (match[1] as string) : quoted.replace(/\\(.)/g, '$1'));
  }
  return steps.length === 0 || steps.includes('__proto__') ? undefined : steps;
}

/** Puts the arguments of one call together from pieces (`partialArgs`). What two readers could take differently is `torn`. */
export class PartialArgs {
  readonly #root: { [name: string]: Json } = {};
  /** the path whose string goes on in the next piece */
  #open: string | undefined;
  readonly #pieces: Json[] = [];
  #torn = false;

  get torn(): boolean {
    return this.#torn;
  }

  get value(): Json {
    return this.#root;
  }

  /** The pieces as they came, for a judge who cannot be shown the whole. */
  get raw(): string {
    return JSON.stringify(this.#pieces);
  }

  /** Whole arguments: they stand where nothing was put together yet. */
  whole(args: Json): void {
    this.#pieces.push(args);
    if (!isObject(args) || Object.keys(this.#root).length > 0) this.#torn = true;
    else Object.assign(this.#root, structuredClone(args));
  }

  /** Takes one element of `partialArgs`; returns the text it adds. */
  add(piece: Json): string {
    this.#pieces.push(piece);
    const path = fieldOf(piece, 'jsonPath');
    const steps = typeof path === 'string' ? stepsOf(path) : undefined;
    if (typeof path !== 'string' || steps === undefined) {
      this.#torn = true;
      return JSON.stringify(piece);
    }
    const more = member(piece, 'willContinue') === true || member(piece, 'will_continue') === true;
    const value = valueIn(piece);
    const goesOn = this.#open === path;
    if (value !== undefined && !this.#put(steps, value, goesOn)) this.#torn = true;
    this.#open = more ? path : undefined;
    return typeof value === 'string' ? value : value === undefined ? '' : String(value);
  }

  #put(steps: readonly (string | number)[], value: Json, goesOn: boolean): boolean {
    let holder: Tree = this.#root;
    for (const [i, step] of steps.slice(0, -1).entries()) {
      const next = read(holder, step);
      const empty: Tree = typeof steps[i + 1] === 'number' ? [] : {};
      if (next === undefined && !write(holder, step, empty)) return false;
      const inner = read(holder, step);
      if (!isArray(inner) && !isObject(inner)) return false;
      holder = inner as Tree;
    }
    const last = steps.at(-1) as string | number;
    const before = read(holder, last);
    if (before === undefined) return write(holder, last, value);
    return goesOn && typeof before === 'string' && typeof value === 'string' && write(holder, last, before + value);
  }
}

function valueIn(piece: Json): Json | undefined {
  for (const name of ['stringValue', 'numberValue', 'boolValue']) {
    const value = fieldOf(piece, name);
    if (value !== undefined) return value;
  }
  return member(piece, 'nullValue') !== undefined || member(piece, 'null_value') !== undefined ? null : undefined;
}

function read(holder: Tree, step: string | number): Json | undefined {
  if (Array.isArray(holder)) return typeof step === 'number' ? holder[step] : undefined;
  return typeof step === 'string' && Object.hasOwn(holder, step) ? holder[step] : undefined;
}

/** Lists grow by one: a gap would be a place that nobody filled. */
function write(holder: Tree, step: string | number, value: Json): boolean {
  if (Array.isArray(holder)) {
    if (typeof step !== 'number' || step > holder.length) return false;
    holder[step] = value;
    return true;
  }
  if (typeof step !== 'string') return false;
  holder[step] = value;
  return true;
}
