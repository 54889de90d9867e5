import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { openSharedDesk } from '../compose.ts';
import type { Halt, HaltKind } from '../stores/embedded/halts.ts';
import { openHalts } from '../stores/embedded/open-embedded.ts';
import { systemClock } from '../telemetry/clock.ts';
import { createLog } from '../telemetry/log.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options {
  config: string;
  json?: boolean;
}

/** `tollgate halts`: what a rule has stopped, and how an operator lets it go on. */
export function haltsCommand(): Command {
  const list = new Command('list')
    .description('runs, agents and humans that a rule halted')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: Options) => withHalts(options, async (halts) => show(await halts.list(), options.json ?? false)));
  const lift = new Command('lift')
    .description('let it go on; works at once in a running gate')
    .addArgument(new Argument('<kind>').choices(['run', 'agent', 'human']))
    .argument('<id>', 'as `halts list` shows it')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((kind: HaltKind, id: string, options: Options) =>
      withHalts(options, async (halts) => {
        if (!(await halts.list()).some((halt) => halt.kind === kind && halt.id === id))
          throw new CommandFailure(1, `no ${kind} \`${id}\` is halted; \`tollgate halts list\` shows what is`);
        await halts.lift(kind, id);
        print(options.json ? { lifted: { kind, id } } : `${kind} \`${id}\` may go on`);
      }),
    );
  const command = new Command('halts').description('what a rule has halted: list, lift');
  for (const sub of [list, lift]) command.addCommand(sub.exitOverride());
  return command;
}

/** Halts of this gateway, or of all that share its store. */
interface HaltStore {
  list(): readonly Halt[] | Promise<readonly Halt[]>;
  lift(kind: HaltKind, id: string): boolean | Promise<boolean>;
}

async function withHalts({ config }: Options, use: (halts: HaltStore) => Promise<void>): Promise<void> {
  const loaded = configAt(config);
  const file = join(loaded.state, 'tollgate.db');
  const shared = await openSharedDesk(loaded, createLog({ level: 'silent' }));
  if (!shared && !existsSync(file))
    throw new CommandFailure(1, `nothing is recorded at \`${file}\` yet; start the gate with \`tollgate serve\``);
  const opened = shared ?? openHalts(file, systemClock());
  try {
    await use(opened.halts);
  } finally {
    await opened.close();
  }
}

function show(halts: readonly Halt[], json: boolean): void {
  if (json) return print({ halts });
  const rows = halts.map(({ kind, id, at }) => [kind, id, new Date(at).toISOString()]);
  for (const line of columns([['KIND', 'ID', 'SINCE'], ...rows])) print(line);
}
