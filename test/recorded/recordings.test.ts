import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = process.env['RECORDED'] ?? '';

test('the recordings are there: streams by provider, and priced usage', () => {
  const streams = readdirSync(join(root, 'streams'), { recursive: true, encoding: 'utf8' });
  const recorded = streams.filter((path) => path.endsWith('.sse'));
  expect(recorded.length).toBeGreaterThan(0);
  for (const path of recorded) expect(readFileSync(join(root, 'streams', path), 'utf8'), path).toMatch(/^data:/m);
  const rows = readFileSync(join(root, 'prices.jsonl'), 'utf8').trimEnd().split('\n');
  for (const row of rows)
    expect(Object.keys(JSON.parse(row))).toEqual(expect.arrayContaining(['provider', 'body', 'expected']));
});
