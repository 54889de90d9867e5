import { Command } from 'commander';
import { cashierOf, configProblems, remotesOf } from '../compose.ts';
import { leaseWarnings } from '../config/lease-warnings.ts';
import type { LoadedConfig } from '../config/load.ts';
import { type Problem, problemText } from '../domain/source.ts';
import { readSources } from '../main.ts';
import { checkPolicy } from '../policy/check-policy.ts';
import type { KnownDetector } from '../policy/known-detectors.ts';
import { PriceFault } from '../price/price-fault.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { remotesIn } from './known-remotes.ts';
import { allKnown, policyFiles, scanAll } from './policy-files.ts';
import { CommandFailure, print } from './terminal.ts';

interface Options {
  config: string;
  json?: boolean;
  strict?: boolean;
}

interface Report {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly rules: number;
  readonly cases: number;
}

/** `tollgate check`: would the gate start with this? Exit 1 where it would not, 0 with warnings unless `--strict`. */
export function checkCommand(): Command {
  return new Command('check')
    .description('check configuration, policies with their cases, and price tables, without starting anything')
    .argument('[policies]', 'check only the policies in this folder')
    .addOption(configOption())
    .option('--strict', 'warnings fail too')
    .addOption(jsonOption())
    .action((policies: string | undefined, options: Options) => {
      const report =
        policies === undefined ? checkAll(configAt(options.config)) : checkFolder(policies, remotesIn(options.config));
      say(report, options);
      if (report.problems.length > 0 || (options.strict && report.warnings.length > 0)) throw new CommandFailure(1, '');
    });
}

function checkFolder(folder: string, remote: readonly KnownDetector[]): Report {
  const { files, cases, problems: extending } = policyFiles(folder);
  // where something is missing, only what is there is read, and no case is judged by half a policy
  const sound = extending.length === 0 ? cases : [];
  const { problems, warnings, bundles, cases: count } = checkPolicy(files, allKnown(remote), sound, scanAll);
  if (extending.length > 0)
    return {
      problems: [...extending, ...problems],
      warnings: [],
      rules: bundles.reduce((sum, b) => sum + b.rules, 0),
      cases: 0,
    };
  return { problems, warnings, rules: bundles.reduce((sum, b) => sum + b.rules, 0), cases: count };
}

function checkAll(config: LoadedConfig): Report {
  const sources = readSources(config, true);
  const policy =
    config.policies === undefined
      ? { problems: [noPolicy(config)], warnings: [], rules: 0, cases: 0 }
      : checkFolder(config.policies, remotesOf(config));
  const whole = (message: string): Problem => ({ file: config.file, line: 0, column: 0, message });
  try {
    const cashier = cashierOf(sources.prices);
    return {
      ...policy,
      problems: [...configProblems(config, cashier).map(whole), ...policy.problems],
      warnings: [...leaseWarnings(config).map(whole), ...policy.warnings],
    };
  } catch (error) {
    if (error instanceof PriceFault) return { ...policy, problems: [...policy.problems, ...error.problems] };
    throw error;
  }
}

const noPolicy = (config: LoadedConfig): Problem => ({
  file: config.file,
  line: 0,
  column: 0,
  message: 'there is no policy; set `policies:` to a folder with a `policy.yaml`',
});

function say({ problems, warnings, rules, cases }: Report, options: Options): void {
  if (options.json) return print({ ok: problems.length === 0, problems, warnings, rules, cases });
  for (const problem of problems) print(`error   ${problemText(problem)}`);
  for (const warning of warnings) print(`warning ${problemText(warning)}`);
  print(
    problems.length === 0
      ? `ok: ${rules} rules, ${cases} cases hold, ${warnings.length} warnings`
      : `${problems.length} problems, ${warnings.length} warnings`,
  );
}
