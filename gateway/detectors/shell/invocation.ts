import type { Command, Redirect, Script, Word } from './parse.ts';

/** What a command runs once wrappers are gone: `sudo env A=1 timeout 5 /bin/rm -rf /` → `rm`, `-rf`, `/`. */
export interface Invocation {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  /** the words of `args` */
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
  readonly input: string | undefined;
  /** wrappers that were taken off: `sudo`, `xargs` … */
  readonly wrappers: readonly string[];
  /** the wrapper `sudo` had these options */
  readonly sudoOptions: readonly string[];
  readonly inner: readonly Script[];
}

/** Commands that run the command behind them, with their options that take a value; how many operands come first. */
const WRAPPERS: Readonly<Record<string, { values: string; operands?: number }>> = {
  sudo: { values: 'ugpCThURD' },
  doas: { values: 'uC' },
  env: { values: 'uCS' },
  timeout: { values: 'ks', operands: 1 },
  nohup: { values: '' },
  nice: { values: 'n' },
  ionice: { values: 'cnp' },
  stdbuf: { values: 'ioe' },
  setsid: { values: '' },
  command: { values: '' },
  builtin: { values: '' },
  exec: { values: 'a' },
  xargs: { values: 'IndPLsaE' },
  watch: { values: 'nd' },
  busybox: { values: '' },
  flock: { values: 'wEc', operands: 1 },
  caffeinate: { values: 'tw' },
  unbuffer: { values: '' },
  proxychains: { values: 'f' },
  proxychains4: { values: 'f' },
  torsocks: { values: '' },
  firejail: { values: '' },
  noglob: { values: '' },
};

const MOST_WRAPPERS = 8;
const ASSIGNMENT = /^[A-Za-z_]\w*\+?=/;

/** Skips the options of a wrapper, from `at` on; answers where its command begins. */
function behindOptions(words: readonly Word[], from: number, values: string): number {
  let at = from;
  for (; at < words.length; at += 1) {
    const value = words[at]?.value ?? '';
    if (value === '--') return at + 1;
    if (!value.startsWith('-') || value === '-') return at;
    if (/^-\w$/.test(value) && values.includes(value.charAt(1))) at += 1;
  }
  return at;
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replace(/\.exe$/i, '');

/** Takes assignments and wrappers off. Undefined: nothing is run. */
export function invocationOf(command: Command): Invocation | undefined {
  const { words } = command;
  const wrappers: string[] = [];
  const sudoOptions: string[] = [];
  let at = 0;
  while (wrappers.length < MOST_WRAPPERS) {
    while (at < words.length && ASSIGNMENT.test(words[at]?.value ?? '')) at += 1;
    const name = baseName(words[at]?.value ?? '');
    const wrapper = Object.hasOwn(WRAPPERS, name) ? WRAPPERS[name] : undefined;
    if (wrapper === undefined) break;
    const next = behindOptions(words, at + 1, wrapper.values) + (wrapper.operands ?? 0);
    if (name === 'sudo' || name === 'doas') for (const { value } of words.slice(at + 1, next)) sudoOptions.push(value);
    if (next >= words.length) break;
    wrappers.push(name);
    at = next;
  }
  const first = words[at];
  if (first === undefined && command.redirects.length === 0) return undefined;
  const rest = words.slice(at + 1);
  return {
    name: baseName(first?.value ?? ''),
    path: first?.value ?? '',
    args: rest.map(({ value }) => value),
    words: rest,
    redirects: command.redirects,
    input: command.input,
    wrappers,
    sudoOptions,
    inner: words.flatMap(({ inner }) => inner),
  };
}

/** True where an option is given: `-r`, inside `-rf`, or by a long name (also `--name=value`). */
export function hasOption(args: readonly string[], short: string, ...long: readonly string[]): boolean {
  return args.some(
    (arg) =>
      (short !== '' && /^-[A-Za-z]+$/.test(arg) && [...short].some((letter) => arg.includes(letter))) ||
      long.some((name) => arg === `--${name}` || arg.startsWith(`--${name}=`) || arg === `-${name}`),
  );
}

/** The arguments that are no options. */
export const operands = (args: readonly string[]): string[] => {
  const end = args.indexOf('--');
  return args.filter((arg, i) => (end !== -1 && i > end) || (!arg.startsWith('-') && arg !== ''));
};
