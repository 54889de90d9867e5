import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { openSpool } from '../../gateway/audit/spool.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import type { BeginEntry, Entry, SealEntry } from '../../gateway/domain/receipt.ts';
import { startChildGate } from '../support/child-gate.ts';
import { writeConfig } from '../support/gate.ts';
import { completion, json, startUpstream } from '../support/upstream.ts';

const ROUNDS = 10;
const PROGRAM = resolve(import.meta.dirname, '../../bin/tollgate.mjs');

/** https://en.wikipedia.org/wiki/Linear_congruential_generator with the constants of Numerical Recipes. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const upstream = await startUpstream(async (request, response) => {
  if (request.body?.['stream'] !== true) {
    await sleep(3);
    return json(response, 200, completion({ content: 'done' }, undefined, 'gpt-4o'));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o' };
  for (const word of ['one ', 'two ', 'three ', 'four ']) {
    response.write(
      `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta: { content: word }, finish_reason: null }] })}\n\n`,
    );
    await sleep(4);
  }
  response.write(`data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`);
  response.write(
    `data: ${JSON.stringify({ ...base, choices: [], usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 } })}\n\n`,
  );
  response.end('data: [DONE]\n\n');
});
const config = writeConfig({
  upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
  config: {
    budgets: [
      { scope: 'tenant', limit_usd: 1000 },
      { scope: 'agent', limit_usd: 500 },
    ],
  },
});
const state = join(dirname(config), 'data');

afterAll(async () => {
  await upstream.close();
  rmSync(dirname(config), { recursive: true, force: true });
});

/** Calls without a pause until the gate is gone; notes the runs whose answer arrived whole. */
async function load(url: string, name: string, answered: Set<string>): Promise<void> {
  for (let n = 0; ; n += 1) {
    const run = `${name}-${n}`;
    const body = {
      model: 'gpt-4o',
      max_completion_tokens: 100,
      stream: n % 2 === 1,
      messages: [{ role: 'user', content: `<${run}>` }],
    };
    try {
      const response = await fetch(`${url}/run/${run}/agent/a${n % 3}/openai/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      const text = await response.text();
      if (response.status === 200 && (n % 2 === 0 || text.endsWith('data: [DONE]\n\n'))) answered.add(run);
    } catch {
      // the gate was killed: that is what this test is about
      return;
    }
  }
}

async function linesOf(folder: string): Promise<Entry[]> {
  const spool = await openSpool(folder);
  const lines: Entry[] = [];
  for await (const { entry } of spool.read(1)) lines.push(entry);
  await spool.close();
  return lines;
}

function accounts(): Map<string, { spent: bigint; held: bigint }> {
  const db = new DatabaseSync(join(state, 'tollgate.db'), { readOnly: true });
  const query = db.prepare('SELECT id, spent, held FROM accounts');
  query.setReadBigInts(true);
  const found = new Map(
    query.all().map((row) => [String(row['id']), { spent: row['spent'] as bigint, held: row['held'] as bigint }]),
  );
  db.close();
  return found;
}

describe('kill -9 at any moment', () => {
  it('loses nothing that was carried, charges every open hold, and the books agree', { timeout: 240_000 }, async () => {
    const random = seeded(20261122);
    const answered = new Set<string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const gate = await startChildGate(config);
      const working = Array.from({ length: 12 }, (_, i) => load(gate.url, `r${round}-w${i}`, answered));
      const before = upstream.received.length;
      const until = Date.now() + 8000;
      while (upstream.received.length < before + 15 && Date.now() < until) await sleep(2);
      await sleep(random() * 150);
      await gate.end('SIGKILL');
      await Promise.all(working);
    }
    const last = await startChildGate(config);
    expect(await last.end('SIGTERM')).toBe(0);

    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, 'verify', '--config', config]);
    expect(stdout).toMatch(/^ok: /);
    const lines = await linesOf(join(state, 'spool'));
    const begins = new Map(lines.filter((l): l is BeginEntry => l.kind === 'begin').map((l) => [l.id, l]));
    const seals = lines.filter((l): l is SealEntry => l.kind === 'seal');
    expect(new Set(seals.map((s) => s.id)).size).toBe(seals.length);

    const begunRuns = new Set([...begins.values()].map((b) => b.principal.run.id));
    const carried = upstream.received.map((r) => /<([^>]+)>/.exec(r.text)?.[1] as string);
    expect(carried.length).toBeGreaterThan(ROUNDS * 15 - 1);
    expect(carried.filter((run) => !begunRuns.has(run))).toEqual([]);
    const sealed = new Map(seals.map((s) => [s.id, s]));
    expect([...begins.keys()].filter((id) => !sealed.has(id))).toEqual([]);
    expect(answered.size).toBeGreaterThan(10);
    const sealedRuns = new Set(seals.map((s) => s.principal?.run.id));
    expect([...answered].filter((run) => !sealedRuns.has(run))).toEqual([]);

    const lapsed = seals.filter((s) => s.ending === 'lapsed');
    expect(lapsed.length).toBeGreaterThan(0);
    // one that was settled just before the end, its receipt lost, costs what the ledger booked: never more than was held
    const whole = lapsed.filter((s) => usdToNano(s.cost_usd) === BigInt(begins.get(s.id)?.hold.amount ?? 0));
    expect(whole.length).toBeGreaterThan(0);
    for (const s of lapsed)
      expect(usdToNano(s.cost_usd)).toBeLessThanOrEqual(BigInt(begins.get(s.id)?.hold.amount ?? 0));

    const expected = new Map<string, bigint>();
    for (const [id, begin] of begins) {
      for (const account of begin.hold.accounts)
        expected.set(account, (expected.get(account) ?? 0n) + usdToNano(sealed.get(id)?.cost_usd ?? '0'));
    }
    const booked = accounts();
    expect(new Map([...booked].filter(([, { spent }]) => spent > 0n).map(([id, { spent }]) => [id, spent]))).toEqual(
      expected,
    );
    expect([...booked].filter(([, { held }]) => held !== 0n)).toEqual([]);

    const again = await startChildGate(config);
    expect(await again.end('SIGTERM')).toBe(0);
    const after = await linesOf(join(state, 'spool'));
    expect(after.slice(lines.length).map((l) => l.kind)).toEqual(['event']);
    expect(accounts()).toEqual(booked);
  });
});
