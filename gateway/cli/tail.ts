import { Command } from 'commander';
import { usdToNano } from '../domain/money.ts';
import { nano } from '../domain/scalars.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { callHeader, callLine } from './feed/call-line.ts';
import { followCalls } from './feed/follow-calls.ts';
import { print } from './terminal.ts';

interface Options {
  config: string;
  office?: string;
  run?: string;
  json?: boolean;
}

/** `tollgate tail`: one line per call, as it ends. */
export function tailCommand(): Command {
  return new Command('tail')
    .description('follow the calls of a running gate, one line each')
    .addOption(configOption())
    .option('--office <url>', 'the office door; default: the one in the configuration')
    .option('--run <id>', 'only this run')
    .addOption(jsonOption())
    .action(async (options: Options) => {
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      process.once('SIGTERM', () => stop.abort());
      const office = options.office ?? officeUrl(options.config);
      const look = {
        width: process.stdout.columns ?? 160,
        colour: process.stdout.isTTY === true && !process.env['NO_COLOR'],
      };
      let total = nano(0n);
      if (!options.json) print(callHeader({ ...look, total }));
      for await (const call of followCalls(office, stop.signal, { run: options.run })) {
        total = nano(total + usdToNano(call.cost_usd));
        print(options.json ? call : callLine(call, { ...look, total }));
      }
    });
}

/** The office door a configuration names. */
function officeUrl(config: string): string {
  const { office } = configAt(config);
  return `http://${office.host.includes(':') ? `[${office.host}]` : office.host}:${office.port}`;
}
