import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { judgeOf, remotesOf } from '../compose.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { JudgedAction, SealEntry } from '../domain/receipt.ts';
import type { CallId } from '../domain/scalars.ts';
import { problemText } from '../domain/source.ts';
import { readSources } from '../main.ts';
import { openReadOnly } from '../stores/embedded/open-embedded.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { CommandFailure, print } from './terminal.ts';
import { placesOf } from './test-policies.ts';

interface Options {
  config: string;
  json?: boolean;
}

/** Where rules stand now, and whether that is the policy a call was judged by. */
interface Places {
  readonly of: ReadonlyMap<string, string>;
  /** what keeps the places from being certain */
  readonly warning: string | undefined;
}

/** `tollgate explain <call>`: which rule decided what, where it stands, what else matched, what was found and what it cost. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('why a call went as it did: every action with its rule and place, findings, and the lines of its cost')
    .argument('<call>', 'the id in `x-tollgate-call`, or as `tollgate tail` shows it')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string, options: Options) => {
      const config = configAt(options.config);
      const receipt = receiptOf(config, id);
      const places = placesFor(config, receipt);
      if (options.json) return print(jsonOf(receipt, places));
      for (const line of linesOf(receipt, places)) print(line);
    });
}

function receiptOf(config: LoadedConfig, id: string): SealEntry {
  const file = join(config.state, 'tollgate.db');
  if (!existsSync(file))
    throw new CommandFailure(1, `nothing is recorded at \`${file}\` yet; start the gate with \`tollgate serve\``);
  const opened = openReadOnly(file);
  try {
    const receipt = opened.calls.find(id as CallId);
    if (receipt) return receipt;
  } finally {
    opened.close();
  }
  throw new CommandFailure(1, `no call \`${id}\` is recorded here; \`tollgate runs <id>\` lists the calls of a run`);
}

function placesFor(config: LoadedConfig, { policy }: SealEntry): Places {
  const none = (warning: string): Places => ({ of: new Map(), warning });
  if (config.policies === undefined) return none('the configuration names no policies, so no place of a rule is known');
  try {
    const { policies: files, problems } = readSources(config, true);
    if (problems.length > 0)
      return none(`what the policies here extend is not as it should be: ${problems.map(problemText).join('; ')}`);
    const { digest } = judgeOf(files, remotesOf(config));
    const of = new Map(placesOf(files, remotesOf(config)).map(({ rule, file, line }) => [rule, `${file}:${line}`]));
    const warning =
      digest === policy
        ? undefined
        : `the policies have changed since this call: it was judged by ${policy}, here is ${digest}`;
    return { of, warning };
  } catch (error) {
    return none(
      `the policies here do not load, so no place of a rule is known: ${error instanceof Error ? error.message : 'unknown'}`,
    );
  }
}

function jsonOf(receipt: SealEntry, { of, warning }: Places): unknown {
  const at = (rule: string | undefined): string | null => (rule === undefined ? null : (of.get(rule) ?? null));
  return {
    ...receipt,
    actions: receipt.actions.map((action) => ({
      ...action,
      rule_at: at(action.rule),
      hits: action.hits.map((hit) => ({ ...hit, at: at(hit.rule) })),
    })),
    warning: warning ?? null,
  };
}

function linesOf(receipt: SealEntry, places: Places): string[] {
  const { principal, usage } = receipt;
  const who = principal
    ? `agent ${principal.agent.id}, run ${principal.run.id}, step ${receipt.step}${principal.human ? `, human ${principal.human.id}` : ''}`
    : 'nobody: it was refused before it was known who called';
  return [
    `${receipt.id}  ${new Date(receipt.at).toISOString()}  ${receipt.ending}, status ${receipt.status}${receipt.fault ? `, ${receipt.fault}` : ''}`,
    `  by      ${who}`,
    `  to      ${receipt.upstream}, ${receipt.dialect}, ${receipt.served_model ?? receipt.model}${receipt.stream ? ', streamed' : ''}`,
    `  policy  ${receipt.policy}`,
    ...(places.warning === undefined ? [] : [`  WARNING ${places.warning}`]),
    ...(receipt.actions.length === 0 ? ['  no action was judged'] : []),
    ...receipt.actions.flatMap((action) => actionLines(action, places)),
    `  cost    $${receipt.cost_usd}${receipt.cost_status ? ` (${receipt.cost_status})` : ''}${receipt.quote_usd ? `, quoted at most $${receipt.quote_usd}` : ''}${usage ? `, usage ${usage.certainty}` : ''}`,
    ...(receipt.cost_lines ?? []).map((line) => `          ${costText(line)}`),
    ...(receipt.notes ?? []).map((note) => `  note    ${note}`),
  ];
}

/** Numbers and words of a cost line, in the order they were recorded; the amount last. */
function costText({ pico, ...line }: NonNullable<SealEntry['cost_lines']>[number]): string {
  const parts = Object.entries(line).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return `${parts.join(', ')}: $${(Number(pico) / 1e12).toFixed(9)}`;
}

function actionLines(action: JudgedAction, { of }: Places): string[] {
  const placed = (rule: string): string => (of.has(rule) ? `${rule} (${of.get(rule)})` : rule);
  const tool = action.tool === undefined ? '' : ` ${action.tool}`;
  const by = action.rule === undefined ? 'no rule: the default' : placed(action.rule);
  const others = action.hits.filter((hit) => hit.rule !== action.rule);
  return [
    `  ${action.point}${tool}: ${action.decision} by ${by}${action.reason ? `, ${action.reason}` : ''}`,
    ...others.map(
      (hit) =>
        `    also ${hit.decision}${hit.mode === 'observe' ? ' (observed only)' : ''} by ${placed(hit.rule)}${hit.error ? `, ${hit.error}` : ''}`,
    ),
    ...(action.findings === undefined
      ? []
      : [
          `    found ${Object.entries(action.findings)
            .map(([kind, n]) => `${kind} ×${n}`)
            .join(', ')}`,
        ]),
    ...(action.input_identity === action.enforced_identity
      ? []
      : [`    edited: ${action.input_identity} → ${action.enforced_identity}`]),
  ];
}
