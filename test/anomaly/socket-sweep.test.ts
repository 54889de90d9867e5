import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault, type FaultCode } from '../../gateway/domain/fault.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import type { BeginEntry } from '../../gateway/domain/receipt.ts';
import { functionCall, sessionCreated, spokenAnswer, writtenAnswer } from '../support/socket-upstream.ts';
import { Saboteur, type Strike } from './sabotage.ts';
import { playSocket, type SocketPlay, type SocketScene } from './socket-rig.ts';

const stray: unknown[] = [];
const onStray = (error: unknown): void => void stray.push(error);
beforeAll(() => void process.on('unhandledRejection', onStray));
afterAll(() => void process.off('unhandledRejection', onStray));

const CREATE = { type: 'response.create' };
const SAY = {
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hello' }] },
};
const HEARD = {
  type: 'conversation.item.input_audio_transcription.completed',
  item_id: 'i1',
  content_index: 0,
  transcript: 'hi',
  usage: { type: 'tokens', total_tokens: 60, input_tokens: 50, output_tokens: 10 },
};

const SCENES: readonly SocketScene[] = [
  {
    name: 'two answers that were asked for',
    says: [SAY, CREATE, CREATE],
    answers: [[sessionCreated(), ...writtenAnswer('r1', ['a', 'b'])], functionCall('r2', 'shell', '{"command":"ls"}')],
    until: { type: 'response.done', count: 2 },
  },
  {
    name: 'an answer that was asked for, one that was not, and a transcription',
    says: [CREATE],
    answers: [[...writtenAnswer('r1', ['a']), HEARD, ...spokenAnswer('r2', ['b'])]],
    until: { type: 'response.done', count: 2 },
  },
  {
    name: 'an answer that breaks off',
    says: [SAY, CREATE],
    answers: [writtenAnswer('r1', ['a', 'b']).slice(0, 6)],
    until: { type: 'response.output_text.delta', count: 2 },
  },
  {
    name: 'an answer that nobody asked for and nobody can pay',
    says: [{ type: 'input_audio_buffer.append', audio: 'AAAA' }, { type: 'input_audio_buffer.commit' }, CREATE],
    answers: [spokenAnswer('r1', ['a'])],
    until: { type: 'response.done', count: 1 },
    limit: 1_000_000n,
  },
];

const CODES: Readonly<Record<string, FaultCode>> = {
  ledger: 'TG_LEDGER_UNAVAILABLE',
  spool: 'TG_RECORD_UNAVAILABLE',
  keys: 'TG_KEYS_UNAVAILABLE',
  identity: 'TG_KEYS_UNAVAILABLE',
  connect: 'TG_UPSTREAM_UNREACHABLE',
};

function strikesOn(port: string, calls: number): Strike[] {
  const errors: (() => Error)[] = [() => new Error('sabotage')];
  const code = CODES[port];
  if (code) errors.push(() => new Fault(code, 'sabotage'));
  return Array.from({ length: calls }, (_, i) => i + 1).flatMap((n) =>
    errors.flatMap((error) =>
      (['before', 'after'] as const).flatMap((when) =>
        [false, true].map((lasting): Strike => ({ port, n, when, lasting, error })),
      ),
    ),
  );
}

/** What is wrong with how a socket ended; empty: nothing. */
async function faultsOf({ rig, client, provider, thrown }: SocketPlay, strike?: Strike): Promise<string[]> {
  const wrong: string[] = [];
  const check = (ok: boolean, what: string): void => void (ok || wrong.push(what));
  check(thrown === undefined, `it threw ${String(thrown)}`);
  const begun = rig.lines.filter((line): line is BeginEntry => line.kind === 'begin').map(({ id }) => id);
  const sealed = rig.seals().map(({ id }) => id);
  check(new Set(sealed).size === sealed.length, 'a receipt twice');
  const lostLines = strike?.port === 'spool';
  if (!lostLines) {
    for (const id of begun) check(sealed.includes(id), 'a write-ahead line without a receipt');
    check(sealed.length > 0 || strike?.port === 'ids', 'no receipt at all');
  } else if (begun.some((id) => !sealed.includes(id))) check(rig.alarms.length > 0, 'a lost receipt without an alarm');
  let ahead = 0;
  for (const what of rig.journal) {
    if (what === 'begin') ahead += 1;
    // the first line is the socket's own
    if (what !== 'asked') continue;
    ahead -= 1;
    check(ahead >= 1, 'asked without a write-ahead line');
  }
  check(rig.inFlight() === 0, `in flight: ${rig.inFlight()}`);
  check(provider.sent.length === 0 || provider.closed() !== undefined, 'the provider is still connected');
  check(client.sent.length === 0 || client.closed() !== undefined, 'the client is still connected');
  await rig.lapse();
  const { held, spent } = await rig.money();
  check(held === 0n, `held: ${held}`);
  const booked = rig.seals().reduce((sum, { cost_usd }) => sum + usdToNano(cost_usd), 0n);
  const unsure = lostLines || (strike?.port === 'ledger' && strike.lasting);
  if (!unsure) check(spent === booked, `spent ${spent}, receipts say ${booked}`);
  else if (strike?.port === 'ledger') check(spent <= booked, `spent ${spent} is more than the receipts' ${booked}`);
  return wrong;
}

describe('whatever fails, wherever, on a socket: one receipt a call, nothing asked unrecorded, no leaked hold', () => {
  it.each(SCENES.map((scene) => [scene.name, scene] as const))(
    '%s',
    async (_name, scene) => {
      const quiet = new Saboteur();
      const clean = await playSocket(scene, quiet);
      expect(await faultsOf(clean)).toEqual([]);
      clean.rig.close();
      const failures: string[] = [];
      let struck = 0;
      for (const [port, calls] of [...quiet.counts].filter(([name]) => name !== 'ids')) {
        for (const strike of strikesOn(port, calls)) {
          const saboteur = new Saboteur(strike);
          const played = await playSocket(scene, saboteur);
          try {
            struck += 1;
            for (const what of await faultsOf(played, strike))
              failures.push(
                `${saboteur.struck} #${strike.n} ${strike.when}${strike.lasting ? ' lasting' : ''}: ${what}`,
              );
          } finally {
            played.rig.close();
          }
        }
      }
      expect([...new Set(failures)]).toEqual([]);
      expect(struck).toBeGreaterThan(60);
      expect(stray).toEqual([]);
    },
    240_000,
  );
});
