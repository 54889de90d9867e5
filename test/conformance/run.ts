// The official MCP conformance suite, direct against its own fixture and through the gate, compared check by check.
// Run: npm run conformance [-- --only <part of a suite's name>] [--keep <folder>]
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Comparison, compare, type Difference } from './compare.ts';
import { inspect } from './inspector.ts';
import { installSuite } from './install-suite.ts';
import { committedReviewed, type Reviewed } from './reviewed.ts';
import { ALLOW_ALL, READS_ALL, startFixture, startGate } from './stage.ts';
import {
  type Check,
  CLIENT_SCENARIOS,
  runClientScenario,
  runServerSuite,
  SERVER_SUITES,
  type Suite,
} from './suites.ts';

const { values } = parseArgs({ options: { only: { type: 'string', default: '' }, keep: { type: 'string' } } });
const wanted = (name: string): boolean => name.includes(values.only);
const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const reviewed = committedReviewed();
const folder = values.keep ? resolve(values.keep) : mkdtempSync(join(tmpdir(), 'tollgate-conformance-results-'));

async function serverSuite(suite: Suite, fixture: string): Promise<Comparison> {
  const results = join(folder, suite.name.replaceAll(/[ ,]+/g, '-'));
  mkdirSync(results, { recursive: true });
  const direct = await runServerSuite(suite, fixture, join(results, 'direct'));
  const gate = await startGate({ url: fixture }, suite.detectors ? READS_ALL : ALLOW_ALL);
  try {
    return compare(suite.name, direct, await runServerSuite(suite, gate.url, join(results, 'through')), reviewed);
  } finally {
    await gate.close();
  }
}

async function clientSuite(version: string, scenarios: readonly string[]): Promise<Comparison> {
  const direct = new Map<string, readonly Check[]>();
  const through = new Map<string, readonly Check[]>();
  const client = `${process.execPath} --import tsx fixture/everythingClient.ts`;
  const ways = [
    ['direct', client, direct],
    ['through', `${process.execPath} client-through-gate-process.ts`, through],
  ] as const;
  for (const scenario of scenarios)
    for (const [way, command, into] of ways) {
      const results = join(folder, `client-${version}`, scenario, way);
      mkdirSync(results, { recursive: true });
      for (const checks of (await runClientScenario(command, scenario, version, results)).values())
        into.set(scenario, [...(into.get(scenario) ?? []), ...checks]);
    }
  return compare(`client ${version}`, direct, through, reviewed);
}

const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value)).slice(0, 400);

function report({ suite, scenarios, passedDirect, passedThrough, differences, open }: Comparison): void {
  say(
    `${suite}: ${scenarios} scenarios, ${passedDirect} pass direct, ${passedThrough} through; ` +
      `${differences.length} details differ, ${open.length} of them not reviewed`,
  );
  for (const { scenario, at, direct, through } of open as readonly Difference[]) {
    say(`  ${scenario} ${at}`);
    say(`    direct   ${shown(direct)}`);
    say(`    through  ${shown(through)}`);
  }
}

function failures(comparisons: readonly Comparison[], list: Reviewed): readonly string[] {
  const stale = values.only === '' ? list.unused() : [];
  return [
    ...comparisons
      .filter((c) => c.open.length > 0)
      .map((c) => `${c.suite}: ${c.open.length} differences nobody reviewed`),
    ...comparisons
      .filter((c) => c.passedDirect !== c.passedThrough)
      .map((c) => `${c.suite}: ${c.passedDirect} scenarios pass direct and ${c.passedThrough} through`),
    ...stale.map(({ scenario, at }) => `reviewed.yaml: \`${scenario}\` \`${at}\` differs no more; take it out`),
  ];
}

async function main(): Promise<number> {
  installSuite();
  const comparisons: Comparison[] = [];
  const add = (comparison: Comparison): void => {
    comparisons.push(comparison);
    report(comparison);
  };
  const fixture = await startFixture();
  try {
    for (const suite of SERVER_SUITES.filter(({ name }) => wanted(name))) add(await serverSuite(suite, fixture.url));
    if (wanted('inspector')) add(compare('inspector', ...(await inspect(fixture.url)), reviewed));
  } finally {
    await fixture.close();
  }
  for (const { version, scenarios } of CLIENT_SCENARIOS)
    if (wanted(`client ${version}`)) add(await clientSuite(version, scenarios));
  const problems = failures(comparisons, reviewed);
  for (const problem of problems) say(`not the same: ${problem}`);
  if (comparisons.length === 0) say(`no suite is called \`${values.only}\``);
  say(
    JSON.stringify(
      comparisons.map(({ suite, scenarios, passedDirect, passedThrough, differences, open }) => ({
        suite,
        scenarios,
        passed_direct: passedDirect,
        passed_through: passedThrough,
        detail_diffs: open.length,
        reviewed_diffs: differences.length - open.length,
      })),
    ),
  );
  return problems.length === 0 && comparisons.length > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
}
