import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { configOption, jsonOption } from './config-file.ts';
import { junitXml } from './junit.ts';
import { remotesIn } from './known-remotes.ts';
import { policyFiles } from './policy-files.ts';
import { CommandFailure, columns, print } from './terminal.ts';
import { type TestReport, testPolicies } from './test-policies.ts';

interface Options {
  config: string;
  json?: boolean;
  junit?: string;
  together?: boolean;
}

/** `tollgate test`: the cases beside each bundle. Exit 1 where one does not hold or there are none. */
export function testCommand(): Command {
  return new Command('test')
    .description('run the `cases.yaml` of policy bundles: each names a call, its facts and the verdict it must get')
    .argument('[policies]', 'the folder with the bundles', 'policies')
    .option('--together', 'judge every case by all bundles of the folder at once, as a gate with this folder would')
    .option('--junit <file>', 'also write the results as JUnit XML')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((folder: string, options: Options) => {
      const report = testPolicies(policyFiles(folder), options.together ?? false, remotesIn(options.config));
      if (options.junit !== undefined) write(options.junit, junitXml(report));
      if (options.json) print(jsonOf(report));
      else say(report);
      const { results, problems } = report;
      if (results.length === 0 && problems.length === 0)
        throw new CommandFailure(
          1,
          options.json ? '' : `no cases beside the bundles in \`${folder}\`; write a \`cases.yaml\``,
        );
      if (problems.length > 0 || failedOf(report).length > 0) throw new CommandFailure(1, '');
    });
}

const failedOf = ({ results }: TestReport): TestReport['results'] => results.filter((r) => r.failures.length > 0);

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new CommandFailure(2, `\`${file}\` cannot be written: ${error instanceof Error ? error.message : 'unknown'}`);
  }
}

function jsonOf(report: TestReport): unknown {
  const failed = failedOf(report).length;
  return { passed: report.results.length - failed, failed, ...report };
}

function say(report: TestReport): void {
  const { problems, results, rules } = report;
  const failed = failedOf(report);
  for (const p of problems) print(`error ${p.file}:${p.line}:${p.column}: ${p.message}`);
  for (const r of failed) print(`failed ${r.file}:${r.line}: \`${r.name}\`: ${r.failures.join('; ')}`);
  const rows = rules.map(({ rule, cases, decided }) => [
    rule,
    String(cases),
    String(decided),
    cases === 0 ? 'no case' : '',
  ]);
  if (rows.length > 0) for (const line of columns([['RULE', 'MATCHED', 'DECIDED', ''], ...rows], [1, 2])) print(line);
  const covered = rules.filter((r) => r.cases > 0).length;
  print(
    `${results.length - failed.length} passed, ${failed.length} failed; ${covered} of ${rules.length} rules have a case`,
  );
}
