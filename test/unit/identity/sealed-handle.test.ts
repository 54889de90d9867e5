import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import { sealSecrets } from '../../../gateway/identity/seal-secrets.ts';
import { createSealer } from '../../../gateway/identity/sealed-handle.ts';
import type { SealKind } from '../../../gateway/ports/sealer.ts';

const KINDS: readonly SealKind[] = ['session', 'state', 'event', 'task', 'cursor', 'request'];
const now = epochMs(1_764_000_000_000);
const later = epochMs(now + 1000);
const secret = randomBytes(32);
const sealer = createSealer([secret]);

const binding = fc.record({ kind: fc.constantFrom(...KINDS), principal: fc.string(), upstream: fc.string() });
const text = fc.string({ unit: 'binary' });

describe('a sealed handle', () => {
  it('opens for whom and what it was made, and is visible ASCII', () => {
    fc.assert(
      fc.property(binding, text, ({ kind, principal, upstream }, value) => {
        const token = sealer.seal(kind, principal, upstream, value, later);
        expect(token).toMatch(/^[\x21-\x7e]+$/);
        expect(sealer.open(kind, principal, upstream, token, now)).toBe(value.toWellFormed());
      }),
    );
  });

  it('opens for no other kind, principal or upstream', () => {
    fc.assert(
      fc.property(binding, binding, text, (made, asked, value) => {
        const same = made.kind === asked.kind && made.principal === asked.principal && made.upstream === asked.upstream;
        const token = sealer.seal(made.kind, made.principal, made.upstream, value, later);
        const opened = sealer.open(asked.kind, asked.principal, asked.upstream, token, now);
        expect(opened).toBe(same ? value.toWellFormed() : undefined);
      }),
    );
  });

  it('does not take the end of one name for the beginning of the next', () => {
    const token = sealer.seal('session', 'ab', 'c', 'x', later);
    expect(sealer.open('session', 'a', 'bc', token, now)).toBeUndefined();
    const quoted = sealer.seal('session', 'a","b', 'c', 'x', later);
    expect(sealer.open('session', 'a', 'b","c', quoted, now)).toBeUndefined();
  });

  it('is refused after any change, wherever it is', () => {
    const token = sealer.seal('state', 'ada', 'github', 'value', later);
    for (let at = 0; at < token.length; at += 1) {
      for (const other of ['A', 'B', '.', '=', '-']) {
        if (token[at] === other) continue;
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        expect(sealer.open('state', 'ada', 'github', changed, now)).toBeUndefined();
      }
      expect(sealer.open('state', 'ada', 'github', token.slice(0, at), now)).toBeUndefined();
    }
    expect(sealer.open('state', 'ada', 'github', `${token}A`, now)).toBeUndefined();
    expect(sealer.open('state', 'ada', 'github', `${token}=`, now)).toBeUndefined();
  });

  it('never throws on what callers make up', () => {
    fc.assert(fc.property(fc.string(), (made) => sealer.open('session', 'a', 'b', made, now) === undefined));
    fc.assert(
      fc.property(fc.base64String(), (made) => {
        const id = sealer.seal('session', 'a', 'b', '', later).split('.')[1];
        return sealer.open('session', 'a', 'b', `tg1.${id}.${made.replace(/=+$/, '')}`, now) === undefined;
      }),
    );
  });

  it('ends when it says so', () => {
    fc.assert(
      fc.property(fc.integer({ min: -5000, max: 5000 }), (ms) => {
        const token = sealer.seal('cursor', 'a', 'b', 'x', epochMs(now + ms));
        expect(sealer.open('cursor', 'a', 'b', token, now)).toBe(ms > 0 ? 'x' : undefined);
      }),
    );
  });

  it('a session that was opened once is still nobody else’s, and still ends', () => {
    const token = sealer.seal('session', 'ada', 'github', 'x', later);
    expect(sealer.open('session', 'ada', 'github', token, now)).toBe('x');
    expect(sealer.open('session', 'eve', 'github', token, now)).toBeUndefined();
    expect(sealer.open('event', 'ada', 'github', token, now)).toBeUndefined();
    expect(sealer.open('session', 'ada', 'gitlab', token, now)).toBeUndefined();
    expect(sealer.open('session', 'ada', 'github', token, later)).toBeUndefined();
    expect(sealer.open('session', 'ada', 'github', token, now)).toBe('x');
  });

  it('is never the same twice, and hides its value', () => {
    const tokens = Array.from({ length: 200 }, () => sealer.seal('session', 'a', 'b', 'the-upstream-session', later));
    expect(new Set(tokens).size).toBe(200);
    expect(tokens.some((t) => Buffer.from(t.split('.')[2] as string, 'base64url').includes('the-upstream'))).toBe(
      false,
    );
  });

  it('survives a new key in front and dies with its own; a replica with the same keys opens it', () => {
    const [old, fresh] = [randomBytes(32), randomBytes(32)];
    const token = createSealer([old]).seal('session', 'a', 'b', 'x', later);
    expect(createSealer([old]).open('session', 'a', 'b', token, now)).toBe('x');
    expect(createSealer([fresh, old]).open('session', 'a', 'b', token, now)).toBe('x');
    expect(createSealer([fresh]).open('session', 'a', 'b', token, now)).toBeUndefined();
    const next = createSealer([fresh, old]).seal('session', 'a', 'b', 'x', later);
    expect(createSealer([fresh]).open('session', 'a', 'b', next, now)).toBe('x');
  });
});

describe('the secret', () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'tollgate-seal-'));
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));

  it('is made once, for the owner alone', () => {
    const [made] = sealSecrets([], state);
    expect(made).toHaveLength(32);
    expect(statSync(join(state, 'seal-key')).mode & 0o777).toBe(0o600);
    expect(sealSecrets([], state)).toEqual([made]);
  });

  it('that others could read is refused', () => {
    sealSecrets([], state);
    chmodSync(join(state, 'seal-key'), 0o640);
    expect(() => sealSecrets([], state)).toThrow('can be read by others');
  });

  it('comes from the configuration where it is named there, and then no file is made', () => {
    const text = randomBytes(32).toString('base64');
    expect(sealSecrets([text], state)).toEqual([Buffer.from(text, 'base64')]);
    expect(() => readFileSync(join(state, 'seal-key'))).toThrow('ENOENT');
  });

  it.each(['short', 'x'.repeat(43).concat('!'), randomBytes(31).toString('base64')])('`%s` is no secret', (text) => {
    expect(() => sealSecrets([text], state)).toThrow('`mcp.seal_keys` number 1 is not 32 bytes in base64');
    expect(() => sealSecrets([text], state)).not.toThrow(text);
  });

  it('must be there, and whole', () => {
    expect(() => createSealer([])).toThrow('there is no seal key');
    expect(() => createSealer([randomBytes(16)])).toThrow('a seal key has 32 bytes');
  });
});
