import { userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { parseExact, prettyExact } from '../domain/exact-json.ts';
import { visibleText } from '../domain/visible-text.ts';
import { configOption, jsonOption } from './config-file.ts';
import { approve, chosen, type DeskEntry, revoke, withPinDesk } from './pin-desk.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options {
  config: string;
  json?: boolean;
  diff?: boolean;
  check?: boolean;
  all?: boolean;
  keep?: boolean;
  by?: string;
  kind?: string;
}

const kindOption = (): Option =>
  new Option('--kind <kind>', 'only these').choices(['tool', 'prompt', 'resource', 'instructions']);

/** `tollgate mcp pins`: which definitions of MCP servers are approved, what waits and why; a running gate follows at once. */
export function mcpPinsCommand(): Command {
  const list = new Command('list')
    .description('what servers showed and where it stands; this is what `pins` alone does')
    .argument('[server]', 'only this server, or the id of what waits')
    .argument('[name]', 'only the tool, prompt or resource with this name')
    .addOption(configOption())
    .addOption(kindOption())
    .option('--diff', 'show what waits: what changed, or all of it')
    .option('--check', 'exit with 1 where anything waits, for CI')
    .addOption(jsonOption())
    .action((server: string | undefined, name: string | undefined, options: Options) =>
      showList(server, name, options),
    );
  const accept = new Command('approve')
    .description('trust what waits as it is now; writes the lock file')
    .argument('<what>', 'a server, or the id that `list` and the denied call show')
    .argument('[name]', 'the tool, prompt or resource; without it everything of the server that nothing speaks against')
    .addOption(configOption())
    .addOption(kindOption())
    .option('--all', 'also what changed, shadows or may speak to the model')
    .option('--keep', 'the definitions approved before stay approved too')
    .option('--by <name>', 'who approves', userInfo().username)
    .addOption(jsonOption())
    .action(acceptPins);
  const back = new Command('revoke')
    .description('trust it no longer; it is hidden and denied at once')
    .argument('<server>', 'the server')
    .argument('[name]', 'the tool, prompt or resource; without it everything of the server')
    .addOption(configOption())
    .addOption(kindOption())
    .addOption(jsonOption())
    .action(revokePins);
  const command = new Command('pins').description(
    'which definitions of MCP servers are approved: list, approve, revoke',
  );
  command.addCommand(list.exitOverride(), { isDefault: true });
  for (const sub of [accept, back]) command.addCommand(sub.exitOverride());
  return command;
}

const waits = ({ state }: DeskEntry): boolean => state === 'waiting' || state === 'quarantined';
const label = ({ kind, name }: DeskEntry): string => (kind === 'instructions' ? '(instructions)' : visibleText(name));
const title = (entry: DeskEntry): string =>
  entry.kind === 'instructions'
    ? `the instructions of \`${entry.server}\``
    : `${entry.kind} \`${visibleText(entry.name)}\` of \`${entry.server}\``;

/** JSON is shown to people too: what nobody would see stands as an escape, which JSON reads back. */
const say = (value: unknown): void => print(visibleText(JSON.stringify(value)));

function showList(server: string | undefined, name: string | undefined, options: Options): void {
  const pending = withPinDesk(options.config, (desk) => {
    const entries =
      server === undefined
        ? desk.entries.filter((e) => options.kind === undefined || e.kind === options.kind)
        : chosen(desk, server, name, options.kind);
    const waiting = entries.filter(waits);
    if (options.json) say({ lock: desk.lock.path, mode: desk.mode, pins: entries.map(asJson) });
    else if (options.diff) for (const line of waiting.flatMap(diffLines)) print(line);
    else for (const line of table(entries)) print(line);
    return waiting.length;
  });
  if (options.check && pending > 0)
    throw new CommandFailure(
      1,
      `${pending} definition${pending === 1 ? ' waits' : 's wait'}; look with \`tollgate mcp pins --diff\``,
    );
}

function table(entries: readonly DeskEntry[]): string[] {
  const rows = entries.map((e) => [
    e.server,
    e.kind,
    label(e),
    e.state,
    e.id || e.hash.slice(0, 12),
    visibleText(e.why) || approvedBy(e),
  ]);
  return columns([['SERVER', 'KIND', 'NAME', 'STATE', 'ID', 'WHY'], ...rows]);
}

const approvedBy = ({ approvals }: DeskEntry): string => {
  const last = approvals.at(-1);
  return last === undefined ? '' : `by ${visibleText(last.by)}, ${new Date(last.at).toISOString().slice(0, 10)}`;
};

function asJson({ text, approvals, changes, suspicions, beside, ...entry }: DeskEntry) {
  return {
    ...entry,
    suspicions,
    ...(changes && { changes }),
    approvals: approvals.map(({ hash, at, by }) => ({ hash, at: new Date(at).toISOString(), by })),
  };
}

const quoted = (text: string): string => visibleText(JSON.stringify(text));
const marked = (sign: string, canonical: string | undefined): string[] =>
  canonical === undefined
    ? []
    : prettyExact(parseExact(canonical), quoted)
        .split('\n')
        .map((line) => `  ${sign} ${line}`);

/** What a person has to read before approving: the reasons, then what changed, or everything where nothing was approved before. */
function diffLines(entry: DeskEntry): string[] {
  const head = [`${title(entry)}: ${visibleText(entry.why)}`, `  approve with: tollgate mcp pins approve ${entry.id}`];
  const warnings = entry.suspicions.map((what) => `  ! ${visibleText(what)}`);
  const body =
    entry.changes === undefined
      ? marked('+', entry.text)
      : entry.changes.flatMap(({ at, before, after }) => [
          `  ${visibleText(at) || '/'}`,
          ...marked('-', before),
          ...marked('+', after),
        ]);
  return [...head, ...warnings, ...body, ''];
}

function acceptPins(what: string, name: string | undefined, options: Options): void {
  withPinDesk(options.config, (desk) => {
    const candidates = chosen(desk, what, name, options.kind).filter(waits);
    if (candidates.length === 0) throw new CommandFailure(1, `nothing of \`${visibleText(what)}\` waits for approval`);
    const named = name !== undefined || candidates.some((e) => e.id === what) || options.all === true;
    const plain = candidates.filter((e) => named || (e.state === 'waiting' && e.suspicions.length === 0));
    const left = candidates.filter((e) => !plain.includes(e));
    if (plain.length > 0) approve(desk, plain, options.by ?? userInfo().username, options.keep ?? false);
    if (options.json) say({ lock: desk.lock.path, approved: plain.map(asJson), left: left.map(asJson) });
    else {
      for (const entry of plain) print(`approved: ${title(entry)} as ${entry.hash.slice(0, 12)}`);
      if (plain.length > 0) print(`written to \`${desk.lock.path}\`: commit it`);
    }
    if (left.length > 0)
      throw new CommandFailure(
        1,
        left
          .map(
            (e) =>
              `not approved: ${title(e)}: ${visibleText(e.why)}; look with \`tollgate mcp pins list ${e.id} --diff\`, then approve ${e.id}`,
          )
          .join('\n'),
      );
  });
}

function revokePins(server: string, name: string | undefined, options: Options): void {
  withPinDesk(options.config, (desk) => {
    const entries = chosen(desk, server, name, options.kind).filter((e) => e.approvals.length > 0);
    if (entries.length === 0) throw new CommandFailure(1, `nothing of \`${visibleText(server)}\` is approved`);
    revoke(desk, entries);
    if (options.json) say({ lock: desk.lock.path, revoked: entries.map(asJson) });
    else for (const entry of entries) print(`revoked: ${title(entry)}`);
  });
}
