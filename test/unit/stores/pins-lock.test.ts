import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../../gateway/domain/canonical.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Trusted } from '../../../gateway/ports/pin-store.ts';
import { FilePinLock } from '../../../gateway/stores/embedded/pins-lock.ts';
import { lockText, readLockText } from '../../../gateway/stores/embedded/pins-lock-text.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const pin = (name: string, definition: Json, more: Partial<Trusted> = {}): Trusted => {
  const text = canonical(definition);
  return {
    server: 'git',
    kind: 'tool',
    name,
    hash: sha256(text),
    beside: '',
    text,
    at: epochMs(1_800_000_000_000),
    by: 'olga',
    ...more,
  };
};

const read = (text: string): readonly Trusted[] => {
  const { pins, problems } = readLockText('mcp-pins.yaml', text);
  expect(problems).toEqual([]);
  return pins;
};

const mistakes = (text: string): string[] =>
  readLockText('mcp-pins.yaml', text).problems.map((p) => `${p.line} ${p.message}`);

describe('the lock file', () => {
  it('is read by people', () => {
    const text = lockText([
      pin(
        'push',
        { name: 'push', description: 'pushes\n"now"', inputSchema: { type: 'object' } },
        { beside: sha256('{}') },
      ),
      pin('', 'use with care', { kind: 'instructions' }),
    ]);
    expect(
      text,
    ).toBe(`# The MCP definitions this gate trusts. \`tollgate mcp pins\` writes this file: review its changes like code.
pins: tollgate/v1
servers:
  git:
    tools:
      push:
        - sha256: "${pin('push', { name: 'push', description: 'pushes\n"now"', inputSchema: { type: 'object' } }).hash}"
          beside: "${sha256('{}')}"
          approved: "2027-01-15T08:00:00.000Z"
          by: "olga"
          definition: |-
            {
              "description": "pushes\\n\\"now\\"",
              "inputSchema": {
                "type": "object"
              },
              "name": "push"
            }
    instructions:
      - sha256: "${sha256('"use with care"')}"
        approved: "2027-01-15T08:00:00.000Z"
        by: "olga"
        definition: |-
          "use with care"
`);
  });

  it('is the same bytes for the same pins in any order, and reads back', () => {
    const name = fc.oneof(
      fc.constantFrom('push', 'true', '1', 'a b', 'null', 'ü', '__', 'x:y', '- a', '#', 'a\u202eb'),
      fc.string({ minLength: 1, unit: 'grapheme' }),
    );
    const pins = fc.uniqueArray(
      fc.record({
        name,
        server: fc.constantFrom('git', 'a-b', 'on', '7'),
        kind: fc.constantFrom('tool', 'prompt', 'resource'),
        value: fc.jsonValue(),
        keep: fc.boolean(),
      }),
      { selector: (p) => `${p.server} ${p.kind} ${p.name}`, maxLength: 8 },
    );
    fc.assert(
      fc.property(pins, fc.nat(), (list, turn) => {
        const rows = list
          .filter((p) => p.name !== '__proto__')
          .map(({ name: n, server, kind, value, keep }) =>
            pin(n, value as Json, { server, kind: kind as 'tool', ...(!keep && { text: undefined }) }),
          );
        const at = rows.length === 0 ? 0 : turn % rows.length;
        const text = lockText(rows);
        expect(lockText([...rows.slice(at), ...rows.slice(0, at)])).toBe(text);
        const order = (a: Trusted, b: Trusted): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
        expect([...read(text)].sort(order)).toEqual([...rows].sort(order));
        expect(lockText(read(text))).toBe(text);
      }),
    );
  });

  it('keeps numbers that no double holds', () => {
    const text = '{"inputSchema":{"maximum":12345678901234567890}}';
    const row: Trusted = { ...pin('n', null), text, hash: sha256(text) };
    expect(read(lockText([row]))).toEqual([row]);
  });

  it('names every mistake with its line', () => {
    const good = lockText([pin('push', { name: 'push' })]);
    expect(mistakes(good.replace('"name": "push"', '"name": "pull"'))).toEqual([
      '7 the definition does not have this hash; it was edited by hand: approve it again',
    ]);
    expect(mistakes(good.replace('"name": "push"', '"name": push'))).toEqual([
      '7 the definition does not have this hash; it was edited by hand: approve it again',
    ]);
    expect(mistakes(good.replace('tollgate/v1', 'v2'))[0]).toMatch(/^2 .*`pins`$/);
    expect(mistakes(good.replace('by: "olga"', 'bye: "olga"')).join()).toMatch(/unknown key `bye`/);
    expect(mistakes(good.replace(/[0-9a-f]{64}/, 'abc')).join()).toMatch(/^7 a SHA-256 in lower-case hex/);
    expect(mistakes('pins: [').length).toBe(1);
    expect(mistakes('pins: &a tollgate/v1\nservers: {}').join()).toMatch(/anchors/);
  });
});

describe('on the disk', () => {
  it('an edit by anybody is noticed, and no draft stays behind', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-lock-'));
    const path = join(folder, 'mcp-pins.yaml');
    const time = { now: 0 };
    const lock = new FilePinLock(path, { now: () => epochMs(time.now), ticks: () => time.now });
    expect(lock.read()).toEqual([]);
    expect(lock.changed()).toBe(false);
    lock.write([pin('push', 1)]);
    expect(lock.changed()).toBe(false);
    time.now += 250;
    expect(lock.changed()).toBe(true);
    expect(lock.read()).toHaveLength(1);
    time.now += 250;
    expect(lock.changed()).toBe(false);
    expect(readdirSync(folder)).toEqual(['mcp-pins.yaml']);
    writeFileSync(path, 'pins: [');
    time.now += 250;
    expect(lock.changed()).toBe(true);
    expect(() => lock.read()).toThrow(/mcp-pins\.yaml:1:/);
    time.now += 250;
    expect(lock.changed()).toBe(false);
    rmSync(path);
    time.now += 250;
    expect(lock.changed()).toBe(true);
    expect(lock.read()).toEqual([]);
    rmSync(folder, { recursive: true });
    expect(() => lock.write([])).toThrow(/cannot be written/);
  });

  it('is written whole', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-lock-'));
    const path = join(folder, 'mcp-pins.yaml');
    const lock = new FilePinLock(path, { now: () => epochMs(0), ticks: () => 0 });
    lock.write([pin('push', 1)]);
    expect(readFileSync(path, 'utf8')).toBe(lockText([pin('push', 1)]));
    rmSync(folder, { recursive: true });
  });
});
