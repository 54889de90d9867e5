import { join } from 'node:path';
import { Command } from 'commander';
import { verifyChain } from '../audit/chain.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { CommandFailure, print } from './terminal.ts';

interface Options {
  config: string;
  json?: boolean;
  head?: string;
}

/** `tollgate verify`: is the record whole? Exit 1 where it is not, naming the first bad line. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('check the hash chain of the audit record, line by line')
    .argument('[folder]', 'the record; default: the `spool` folder below `state` of the configuration')
    .addOption(configOption())
    .option('--head <seq:hash>', 'a head noted earlier: a record that lost its end since then fails')
    .addOption(jsonOption())
    .action(async (folder: string | undefined, options: Options) => {
      const head = headOf(options.head);
      const report = await verifyChain(folder ?? join(configAt(options.config).state, 'spool'), head ? { head } : {});
      if (options.json) print(report);
      else if (report.ok)
        print(`ok: ${report.lines} lines, ${report.firstSeq} to ${report.head.seq}, head ${report.head.hash}`);
      if (!report.ok)
        throw new CommandFailure(
          1,
          options.json
            ? ''
            : `the record is damaged: ${report.file}:${report.line} (line ${report.seq} of the chain): ${report.problem}`,
        );
    });
}

function headOf(text: string | undefined): { seq: number; hash: string } | undefined {
  if (text === undefined) return undefined;
  const match = /^([0-9]+):([0-9a-f]{64})$/.exec(text);
  if (!match)
    throw new CommandFailure(2, `--head \`${text}\` is not \`<seq>:<64 hex digits>\` as an earlier verify printed it`);
  return { seq: Number(match[1]), hash: match[2] as string };
}
