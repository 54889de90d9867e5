import { describe, expect, it } from 'vitest';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import { Proposals } from '../../../gateway/pipeline/proposals.ts';

const AT = 1_800_000_000_000;
const MINUTE = 60_000;
const space = (key: string) => ({ tenant: 't', key });
const proposal = (callId: string, at = AT) => ({ run: 'r', step: 1, callId, at: epochMs(at) });
const now = epochMs(AT + 1);

describe('proposals that wait for their execution', () => {
  it('are found by call id or by tool and exact arguments, oldest first, and taken once', () => {
    const waiting = new Proposals();
    waiting.offer(space('a'), 'files__read', { path: 'x' }, proposal('one'));
    waiting.offer(space('a'), 'files__read', { path: 'x' }, proposal('two'));
    const execution = { names: ['read'], args: { path: 'x' } };
    const first = waiting.find(space('a'), execution, now);
    expect(first?.callId).toBe('one');
    expect(waiting.find(space('a'), { ...execution, callId: 'two' }, now)?.callId).toBe('two');
    expect(waiting.find(space('a'), { names: ['read'], args: { path: 'y' } }, now)).toBeUndefined();
    if (first) waiting.take(space('a'), first);
    expect(waiting.find(space('a'), execution, now)?.callId).toBe('two');
  });

  it('never leave their space, also where somebody tries to take them from another', () => {
    const waiting = new Proposals();
    waiting.offer(space('a'), 'read', {}, proposal('one'));
    const execution = { names: ['read'], args: {} };
    expect(waiting.find(space('b'), execution, now)).toBeUndefined();
    const own = waiting.find(space('a'), execution, now);
    if (own) waiting.take(space('b'), own);
    expect(waiting.find(space('a'), execution, now)).toBe(own);
  });

  it('are forgotten after ten minutes, also in a space where nothing happens any more', () => {
    const waiting = new Proposals();
    waiting.offer(space('quiet'), 'read', {}, proposal('old'));
    const execution = { names: ['read'], args: {} };
    expect(waiting.find(space('quiet'), execution, epochMs(AT + 10 * MINUTE))).toBeUndefined();
    expect(waiting.find(space('quiet'), execution, now)).toBeDefined();
    waiting.offer(space('busy'), 'read', {}, proposal('new', AT + 11 * MINUTE));
    expect(waiting.find(space('quiet'), execution, now)).toBeUndefined();
  });

  it('are bounded in each space and over all of them', () => {
    const waiting = new Proposals();
    const find = (key: string, callId: string) => waiting.find(space(key), { names: [], args: {}, callId }, now);
    for (let i = 0; i < 2_001; i++) waiting.offer(space('0'), 'read', {}, proposal(`${i}`));
    expect([find('0', '0'), find('0', '1')?.callId]).toEqual([undefined, '1']);
    for (let i = 0; i < 48_001; i++) waiting.offer(space(`${1 + (i % 100)}`), 'read', {}, proposal(`${i}`));
    expect([find('0', '1'), find('0', '2')?.callId, find('1', '0')?.callId]).toEqual([undefined, '2', '0']);
  });
});
