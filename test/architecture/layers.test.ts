import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const LEGAL = {
  'gateway/domain/word.ts': 'export type Word = 1; export const word: Word = 1;',
  'gateway/ports/ledger.ts': "export type { Word as Ledger } from '../domain/word.ts';",
  'gateway/policy/judge.ts':
    "import { z } from 'zod'; import { word } from '../domain/word.ts'; export const judge = [z, word];",
  'gateway/price/quote.ts': "import { word } from '../domain/word.ts'; export const quote = word;",
  'gateway/dialects/chat.ts': "import type { Ledger } from '../ports/ledger.ts'; export const chat: Ledger = 1;",
  'gateway/stores/embedded/ledger.ts':
    "import { DatabaseSync } from 'node:sqlite'; export const embedded = DatabaseSync;",
  'gateway/stores/redis/ledger.ts':
    "import type { Ledger } from '../../ports/ledger.ts'; export const redis: Ledger = 1;",
  'gateway/pipeline/exchange.ts':
    "import { judge } from '../policy/judge.ts'; import { quote } from '../price/quote.ts'; export const exchange = [judge, quote];",
  'gateway/config/load.ts': "import { word } from '../domain/word.ts'; export const load = word;",
  'gateway/server/door.ts': "import { exchange } from '../pipeline/exchange.ts'; export const door = exchange;",
  'gateway/compose/open-store.ts': "import { redis } from '../stores/redis/ledger.ts'; export const store = redis;",
  'gateway/compose.ts':
    "import { store } from './compose/open-store.ts'; import { chat } from './dialects/chat.ts'; import { redis } from './stores/redis/ledger.ts'; import { door } from './server/door.ts'; export const compose = [store, chat, redis, door];",
  'gateway/main.ts': "import { compose } from './compose.ts'; export const main = compose;",
  'gateway/cli/serve.ts':
    "import { main } from '../main.ts'; import { judge } from '../policy/judge.ts'; export const serve = [main, judge];",
};

const ILLEGAL = [
  ['gateway/domain/bad.ts', "import type { Ledger } from '../ports/ledger.ts';", 'L0-domain'],
  ['gateway/domain/package.ts', "import type { z } from 'zod';", 'L0-domain'],
  ['gateway/domain/stream.ts', "import type { Readable } from 'node:stream';", 'L0-domain'],
  ['gateway/policy/bad.ts', "import type { quote } from '../price/quote.ts';", 'L1-policy'],
  ['gateway/policy/io.ts', "export type S = import('node:fs').Stats;", 'pure-rooms-have-no-io'],
  ['gateway/price/package.ts', "import pino from 'pino';", 'pure-rooms-have-few-packages'],
  ['gateway/ports/bad.ts', "export type { judge } from '../policy/judge.ts';", 'L1-policy'],
  ['gateway/dialects/bad.ts', "import { type redis } from '../stores/redis/ledger.ts';", 'L2-adapters'],
  ['gateway/detectors/bad.ts', "export type E = import('../pipeline/exchange.ts').exchange;", 'L2-adapters'],
  ['gateway/stores/embedded/bad.ts', "import type { redis } from '../redis/ledger.ts';", 'stores-do-not-share'],
  ['gateway/pipeline/bad.ts', "import type { chat } from '../dialects/chat.ts';", 'L3-pipeline'],
  ['gateway/server/bad.ts', "import type { load } from '../config/load.ts';", 'L4-doors'],
  ['gateway/admin/bad.ts', "import type { judge } from '../policy/judge.ts';", 'L4-doors'],
  ['gateway/upstream/bad.ts', "import { compose } from '../compose.ts';", 'compose-is-imported'],
  ['gateway/cli/pieces.ts', "import { store } from '../compose/open-store.ts';", 'pieces-of-compose'],
  ['gateway/audit/bad.ts', "import { main } from '../main.ts';", 'main-is-imported'],
  ['gateway/cli/bad.ts', "import { redis } from '../stores/redis/ledger.ts';", 'redis-is-reached'],
  ['gateway/cli/test.ts', "import '../../test/sample.ts';", 'L5-front-door'],
  ['gateway/server/ring-a.ts', "export type { RingB } from './ring-b.ts'; export type RingA = 1;", 'no-circular'],
  ['gateway/server/ring-b.ts', "import type { RingA } from './ring-a.ts'; export type RingB = RingA;", undefined],
  ['gateway/server/lost.ts', "import './nowhere.ts';", 'no-unresolvable'],
  ['gateway/server/dev.ts', "import fc from 'fast-check';", 'no-dev-dependency'],
] as const;

const root = mkdtempSync(join(tmpdir(), 'tollgate-layers-'));

beforeAll(() => {
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) cpSync(file, join(root, file));
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
});

afterAll(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `${text}\n`);
}

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

async function violations(): Promise<readonly Violation[]> {
  const args = [resolve('node_modules/.bin/depcruise'), 'gateway', '--output-type', 'json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 1 << 26 });
  return JSON.parse(stdout).summary.violations;
}

test('the arrows of the map pass, and each arrow against them is reported, type imports included', async () => {
  for (const [path, text] of Object.entries(LEGAL)) write(path, text);
  write('test/sample.ts', 'export const sample = 1;');
  expect(await violations()).toEqual([]);

  for (const [path, text] of ILLEGAL) write(path, text);
  const found = await violations();
  for (const [path, , rule] of ILLEGAL) {
    if (rule === undefined) continue;
    const names = found.filter(({ from }) => from === path).map(({ rule: { name } }) => name);
    expect(
      names.some((name) => name.startsWith(rule)),
      `${path}: ${names.join()}`,
    ).toBe(true);
  }
  expect(found.filter(({ from }) => from in LEGAL)).toEqual([]);
}, 60_000);
