import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { runSummaryView, runView } from '../admin/views.ts';
import { openReadOnly } from '../stores/embedded/open-embedded.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { runTable } from './feed/run-table.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options {
  config: string;
  limit: number;
  json?: boolean;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is needed.');
  return value;
};

/** `tollgate runs [id]`: the runs there were, or one run step by step with the cost of each. */
export function runsCommand(): Command {
  return new Command('runs')
    .description('the runs of this gate; with an id: its steps, what each cost and which was the dearest')
    .argument('[id]', 'one run; `show <id>` says the same')
    .argument('[run]')
    .addOption(configOption())
    .option('-n, --limit <count>', 'how many runs', positive, 20)
    .addOption(jsonOption())
    .action((first: string | undefined, second: string | undefined, options: Options) => {
      if (second !== undefined && first !== 'show')
        throw new CommandFailure(2, `one run at a time: \`tollgate runs ${first}\``);
      const id = second ?? first;
      const file = join(configAt(options.config).state, 'tollgate.db');
      if (!existsSync(file))
        throw new CommandFailure(1, `nothing is recorded at \`${file}\` yet; start the gate with \`tollgate serve\``);
      const opened = openReadOnly(file);
      try {
        if (id === undefined) list(opened.calls.runs(options.limit), options.json ?? false);
        else show(id, opened.calls.run(id), options.json ?? false);
      } finally {
        opened.close();
      }
    });
}

function list(runs: readonly Parameters<typeof runSummaryView>[0][], json: boolean): void {
  const views = runs.map(runSummaryView);
  if (json) return print({ runs: views });
  const rows = views.map((r) => [
    r.id,
    r.agent,
    r.human ?? '-',
    r.tenant,
    String(r.steps),
    String(r.calls),
    `$${r.cost_usd}`,
    r.last_at.slice(0, 19).replace('T', ' '),
  ]);
  for (const line of columns(
    [['RUN', 'AGENT', 'HUMAN', 'TENANT', 'STEPS', 'CALLS', 'COST', 'LAST CALL (UTC)'], ...rows],
    [4, 5, 6],
  ))
    print(line);
}

function show(id: string, found: Parameters<typeof runView>[0] | undefined, json: boolean): void {
  if (!found) throw new CommandFailure(1, `no run \`${id}\` is recorded here; \`tollgate runs\` lists them`);
  const view = runView(found);
  if (json) print(view);
  else
    print(
      runTable(view, {
        width: process.stdout.columns ?? 120,
        colour: process.stdout.isTTY === true && !process.env['NO_COLOR'],
      }),
    );
}
