import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const HOME = import.meta.dirname;
const RUN_MS = 300_000;

/** One run of the official suite against a server. */
export interface Suite {
  readonly name: string;
  /** the folder of the package in node_modules */
  readonly pack: 'conformance' | 'conformance-stable';
  readonly args: readonly string[];
  /** every detector reads everything that passes */
  readonly detectors?: boolean;
}

const all: Suite = { name: 'alpha.12 all', pack: 'conformance', args: ['--suite', 'all'] };

export const SERVER_SUITES: readonly Suite[] = [
  { name: '0.1.16 active', pack: 'conformance-stable', args: [] },
  { name: 'requirements 2025-11-25', pack: 'conformance', args: ['--requirements', '2025-11-25'] },
  { name: 'requirements 2026-07-28', pack: 'conformance', args: ['--requirements', '2026-07-28'] },
  all,
  { ...all, name: 'alpha.12 all, every detector', detectors: true },
];

/** Scenarios of the suite's client mode that a relay can pass: the others bring their own authorization server or test the client alone. */
export const CLIENT_SCENARIOS: readonly { readonly version: string; readonly scenarios: readonly string[] }[] = [
  {
    version: '2025-11-25',
    scenarios: [
      'initialize',
      'tools_call',
      'elicitation-sep1034-client-defaults',
      'sse-retry',
      'json-schema-2020-12-preservation',
    ],
  },
  {
    version: '2026-07-28',
    scenarios: [
      'tools_call',
      'request-metadata',
      'sep-2322-client-request-state',
      'http-standard-headers',
      'http-custom-headers',
      'http-invalid-tool-headers',
      'json-schema-ref-no-deref',
      'json-schema-2020-12-preservation',
    ],
  },
];

/** One check as the suite wrote it. */
export interface Check {
  readonly id: string;
  readonly status: string;
  readonly [member: string]: unknown;
}

/** What one run left: its checks by scenario. */
export type Results = ReadonlyMap<string, readonly Check[]>;

/** A scenario passes where no check of it failed. */
export const passes = (checks: readonly Check[]): boolean => checks.every(({ status }) => status !== 'FAILURE');

/** Runs one suite against a URL. Throws where it left nothing to compare. */
export async function runServerSuite({ name, pack, args }: Suite, url: string, folder: string): Promise<Results> {
  const said = await conformance(pack, ['server', '--url', url, ...args, '-o', folder]);
  return resultsIn(folder, `suite \`${name}\``, said);
}

/** Runs one client scenario; the command gets the harness's URL appended. */
export async function runClientScenario(
  command: string,
  scenario: string,
  version: string,
  folder: string,
): Promise<Results> {
  const args = ['client', '--command', command, '--scenario', scenario, '--spec-version', version, '-o', folder];
  return resultsIn(folder, `client scenario \`${scenario}\``, await conformance('conformance', args));
}

function conformance(pack: Suite['pack'], args: readonly string[]): Promise<string> {
  const main = join(HOME, 'node_modules/@modelcontextprotocol', pack, 'dist/index.js');
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: HOME, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-8_000);
      });
    const late = setTimeout(() => child.kill('SIGKILL'), RUN_MS);
    child.once('error', fail);
    child.once('close', () => {
      clearTimeout(late);
      done(said);
    });
  });
}

const STAMP = /^(?:server-|client-)?(.+?)-\d{4}-\d\d-\d\dT.*$/;

function resultsIn(folder: string, what: string, said: string): Results {
  const results = new Map<string, readonly Check[]>();
  for (const entry of existsSync(folder) ? readdirSync(folder).toSorted() : []) {
    const file = join(folder, entry, 'checks.json');
    const scenario = STAMP.exec(entry)?.[1];
    if (scenario === undefined || !existsSync(file)) continue;
    if (results.has(scenario)) throw new Error(`${what} left results of \`${scenario}\` twice in \`${folder}\``);
    results.set(scenario, JSON.parse(readFileSync(file, 'utf8')) as Check[]);
  }
  if (results.size === 0) throw new Error(`${what} left no results:\n${said}`);
  return results;
}
