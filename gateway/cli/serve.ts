import { Command } from 'commander';
import { type Running, startGateway } from '../main.ts';
import { createLog } from '../telemetry/log.ts';
import { configAt, configOption } from './config-file.ts';
import { print } from './terminal.ts';

interface Options {
  config: string;
  allowUnpoliced?: boolean;
}

/** `tollgate serve`: runs until SIGINT or SIGTERM, reloads rules and prices on SIGHUP. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('start the gate: the data door for agents, the office door for metrics and views')
    .addOption(configOption())
    .option('--allow-unpoliced', 'start without any policy; every call then passes')
    .action(async (options: Options) => {
      const config = configAt(options.config);
      const level = config.log.level === 'debug' ? 'info' : config.log.level;
      const log = createLog({ level, pretty: process.stderr.isTTY });
      const running = await startGateway(config, { log, allowUnpoliced: options.allowUnpoliced });
      // listens before it greets: whoever waits for the greeting may send a signal at once
      const stopped = untilStopped(running, () => log.info({}, 'stopping: no new calls, those in flight may finish'));
      greet(running, Object.keys(config.upstreams), options.allowUnpoliced === true && config.policies === undefined);
      await stopped;
    });
}

function greet({ data, office, rules, recovered }: Running, upstreams: readonly string[], unpoliced: boolean): void {
  const at = (place: { host: string; port: number }): string =>
    `http://${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`;
  print(`tollgate is listening on ${at(data)} with ${rules} rules in force`);
  for (const name of upstreams) print(`  ${at(data)}/${name}`);
  print(`  office: ${at(office)}/metrics, /api/calls, /api/runs, /healthz, /readyz`);
  if (recovered.lapsed > 0)
    print(`  recovered: ${recovered.lapsed} calls were in flight when the gate died; their holds lapsed as charges`);
  if (unpoliced) print('  WARNING: no policy is in force; every call passes (--allow-unpoliced)');
}

async function untilStopped(running: Running, onStop: () => void): Promise<void> {
  process.on('SIGHUP', () => {
    try {
      running.reload();
    } catch {
      // the reload has logged why it was refused, and the old rules stay in force
    }
  });
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  onStop();
  process.once('SIGINT', () => process.exit(130));
  await running.stop();
}
