import { destroys, losesData } from './destructive.ts';
import { hasOption, type Invocation, invocationOf, operands } from './invocation.ts';
import { escalates, persists, readsCredentials } from './machine.ts';
import { exfiltrates, feedsData, isInterpreter, pipesIntoShell, runsRemoteCode } from './network.ts';
import { type Command, type Pipeline, type Script, ShellParser } from './parse.ts';
import { isTop } from './paths.ts';

export type ShellKind =
  | 'credential_access'
  | 'destructive'
  | 'exfiltration'
  | 'persistence'
  | 'privilege'
  | 'remote_code';

export interface Deed {
  readonly kind: ShellKind;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
}

const DEEPEST_NESTING = 4;
const MOST_NESTED_TEXT = 65_536;
/** commands of a pipeline that are judged together */
const LONGEST_PIPELINE = 32;

/** The program text that a command hands to a shell: `bash -c '…'`, `eval …`, `ssh host '…'`, a here-document. */
function nestedProgram({ name, args, input, wrappers }: Invocation): string | undefined {
  if (name === 'eval' || name === 'parallel') return args.join(' ');
  if (name === 'su' || (name === 'watch' && args.length > 0) || wrappers.includes('watch')) {
    const at = args.indexOf('-c');
    return at === -1 ? undefined : args[at + 1];
  }
  if (/^(?:ba|z|da|k|a|fi)?sh$/.test(name)) {
    const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg));
    return at === -1 ? input : args[at + 1];
  }
  if (name !== 'ssh') return undefined;
  const host = args.findIndex((arg, i) => !arg.startsWith('-') && !/^-[bcDEeFIiJLlmOopQRSWw]$/.test(args[i - 1] ?? ''));
  return host === -1 || host + 1 >= args.length ? input : args.slice(host + 1).join(' ');
}

function single(call: Invocation, piped: boolean): { kind: ShellKind; confidence: number } | undefined {
  if (destroys(call)) return { kind: 'destructive', confidence: 0.9 };
  if (runsRemoteCode(call)) return { kind: 'remote_code', confidence: 0.9 };
  if (exfiltrates(call, piped)) return { kind: 'exfiltration', confidence: 0.85 };
  if (escalates(call)) return { kind: 'privilege', confidence: 0.85 };
  if (persists(call)) return { kind: 'persistence', confidence: 0.8 };
  return readsCredentials(call) ? { kind: 'credential_access', confidence: 0.8 } : undefined;
}

const span = (first: Command | undefined, last: Command | undefined): { start: number; end: number } => ({
  start: first?.start ?? 0,
  end: last?.end ?? 0,
});

/** What the commands of one pipeline do together. */
function together(calls: readonly (Invocation | undefined)[], pipeline: Pipeline): Deed | undefined {
  const whole = span(pipeline[0], pipeline.at(-1));
  if (pipesIntoShell(calls)) return { kind: 'remote_code', ...whole, confidence: 0.95 };
  for (const [i, call] of calls.entries()) {
    if (call === undefined || i === 0) continue;
    const before = calls.slice(0, i).flatMap((other) => other?.args ?? []);
    if (exfiltrates(call, feedsData(calls, pipeline, i))) return { kind: 'exfiltration', ...whole, confidence: 0.95 };
    if (losesData(call, before.join(' ').slice(0, 4_096))) return { kind: 'destructive', ...whole, confidence: 0.95 };
    const removes =
      call.wrappers.includes('xargs') &&
      call.name === 'rm' &&
      hasOption(call.args, 'rR', 'recursive') &&
      operands(call.args).length === 0;
    if (removes && before.some((arg) => isTop(arg) && arg !== '.'))
      return { kind: 'destructive', ...whole, confidence: 0.9 };
    const pipedScript =
      /^(?:ba|z|da|k|fi)?sh$/.test(call.name) &&
      call.args.length === 0 &&
      /^(?:echo|printf)$/.test(calls[i - 1]?.name ?? '');
    if (pipedScript) {
      const [deed] = deedsIn(calls[i - 1]?.args.join(' ') ?? '', DEEPEST_NESTING - 1);
      if (deed !== undefined) return { ...deed, ...whole };
    }
  }
  return undefined;
}

const FETCHED_TO = /^(?:-o|-O|--output|--output-document)$/;

/** Files that the script has fetched, and where each came. */
function noteDownloads(call: Invocation, command: Command, downloads: Map<string, Command>): void {
  if (call.name !== 'curl' && call.name !== 'wget') return;
  const at = call.args.findIndex((arg) => FETCHED_TO.test(arg) && (arg !== '-O' || call.name === 'wget'));
  const file = at === -1 ? call.redirects.find(({ op }) => op === '>')?.target.value : call.args[at + 1];
  const url = call.args.findLast((arg) => /^(?:https?|ftp):\/\//.test(arg));
  const byName =
    at === -1 && file === undefined && (call.name === 'wget' || hasOption(call.args, 'O'))
      ? url?.split('/').at(-1)
      : undefined;
  const path = file ?? byName;
  if (path !== undefined && path !== '-' && path !== '' && downloads.size < 64)
    downloads.set(path.replace(/^\.\//, ''), command);
}

function runsDownload({ name, path, args }: Invocation, downloads: ReadonlyMap<string, Command>): Command | undefined {
  const run = isInterpreter(name) || name === 'source' || name === '.' ? operands(args)[0] : path;
  return run === undefined ? undefined : downloads.get(run.replace(/^\.\//, ''));
}

function judgePipeline(pipeline: Pipeline, downloads: Map<string, Command>, depth: number, deeds: Deed[]): void {
  const calls = pipeline.map(invocationOf);
  if (pipeline.length > 1) {
    const deed = together(calls.slice(0, LONGEST_PIPELINE), pipeline.slice(0, LONGEST_PIPELINE));
    if (deed !== undefined) deeds.push(deed);
  }
  for (const [i, command] of pipeline.entries()) {
    const call = calls[i];
    for (const { inner } of [...command.words, ...command.redirects.map(({ target }) => target)]) {
      for (const script of inner) judgeScript(script, depth, deeds);
    }
    if (call === undefined) continue;
    const deed = single(call, false);
    if (deed !== undefined) deeds.push({ ...deed, ...span(command, command) });
    const fetched = runsDownload(call, downloads);
    if (fetched !== undefined)
      deeds.push({ kind: 'remote_code', start: fetched.start, end: command.end, confidence: 0.9 });
    noteDownloads(call, command, downloads);
    const program = nestedProgram(call);
    if (program !== undefined && depth < DEEPEST_NESTING) {
      for (const { kind, confidence } of deedsIn(program.slice(0, MOST_NESTED_TEXT), depth + 1))
        deeds.push({ kind, ...span(command, command), confidence });
    }
  }
}

function judgeScript(script: Script, depth: number, deeds: Deed[]): void {
  const downloads = new Map<string, Command>();
  let inside = '';
  for (const pipeline of script) {
    judgePipeline(pipeline, downloads, depth, deeds);
    const [command] = pipeline;
    const [name, path = ''] = command?.words.map(({ value }) => value) ?? [];
    if (name === 'cd') inside = path;
    else if (inside !== '' && /^\/|^~\/?$/.test(inside) && isTop(inside) && command !== undefined) {
      const call = invocationOf(command);
      if (call?.name === 'rm' && hasOption(call.args, 'rR', 'recursive') && operands(call.args).includes('*'))
        deeds.push({ kind: 'destructive', ...span(command, command), confidence: 0.9 });
    }
  }
}

const FORK_BOMB = /([\w:.]{1,20})\s?\(\)\s?\{\s?\1\s?\|\s?\1\s?&\s?\}\s?;\s?\1/g;

/** What a shell would do with the text, as far as it is harmful. Offsets into the text. */
export function deedsIn(text: string, depth = 0): Deed[] {
  const deeds: Deed[] = [];
  judgeScript(new ShellParser(text).parse(), depth, deeds);
  if (text.includes('()')) {
    for (const match of text.matchAll(FORK_BOMB))
      deeds.push({ kind: 'destructive', start: match.index, end: match.index + match[0].length, confidence: 0.98 });
  }
  return deeds;
}
