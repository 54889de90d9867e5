import { Command } from 'commander';
import { judgeOf } from '../compose.ts';
import { PolicyFault } from '../policy/policy-fault.ts';
import { runCases } from '../policy/run-cases.ts';
import { jsonOption } from './config-file.ts';
import { policyFiles, scanAll } from './policy-files.ts';
import { CommandFailure, print } from './terminal.ts';

interface Options {
  json?: boolean;
}

/** `tollgate test`: the cases beside each bundle. Exit 1 where one does not hold or there are none. */
export function testCommand(): Command {
  return new Command('test')
    .description('run the `cases.yaml` of policy bundles: each names a call, its facts and the verdict it must get')
    .argument('[policies]', 'the folder with the bundles', 'policies')
    .addOption(jsonOption())
    .action((folder: string, options: Options) => {
      const { files, cases } = policyFiles(folder);
      const judge = compiled(files);
      const reports = cases.map((source) => runCases(judge, source, scanAll));
      const results = reports.flatMap((r) => r.results);
      const problems = reports.flatMap((r) => r.problems);
      const failed = results.filter((r) => r.failures.length > 0);
      if (options.json) print({ passed: results.length - failed.length, failed: failed.length, results, problems });
      else {
        for (const p of problems) print(`error ${p.file}:${p.line}:${p.column}: ${p.message}`);
        for (const r of failed) print(`failed ${r.file}:${r.line}: \`${r.name}\`: ${r.failures.join('; ')}`);
        print(`${results.length - failed.length} passed, ${failed.length} failed`);
      }
      if (results.length === 0)
        throw new CommandFailure(
          1,
          options.json ? '' : `no cases beside the bundles in \`${folder}\`; write a \`cases.yaml\``,
        );
      if (failed.length > 0 || problems.length > 0) throw new CommandFailure(1, '');
    });
}

function compiled(files: Parameters<typeof judgeOf>[0]): ReturnType<typeof judgeOf> {
  try {
    return judgeOf(files);
  } catch (error) {
    if (error instanceof PolicyFault) throw new CommandFailure(1, error.message);
    throw error;
  }
}
