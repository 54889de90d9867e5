import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { SocketEnd } from '../../../gateway/ports/socket.ts';
import { socketEnd } from '../../../gateway/upstream/socket-end.ts';

let cleanUp: () => void = () => undefined;

afterEach(() => cleanUp());

/** Two ends of one connection: ours as the gate has it, and a plain one. */
async function pair(pingMs?: number): Promise<{ end: SocketEnd; ours: WebSocket; peer: WebSocket }> {
  const server = createServer();
  const door = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const opened = new Promise<WebSocket>((resolve) => door.once('connection', resolve));
  const ours = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const ready = new Promise<SocketEnd>((resolve) => ours.once('open', () => resolve(socketEnd(ours, pingMs))));
  const peer = await opened;
  cleanUp = () => {
    ours.terminate();
    peer.terminate();
    server.close();
  };
  return { end: await ready, ours, peer };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('an open socket', () => {
  it('gives its messages in order and ends with the other side', async () => {
    const { end, peer } = await pair();
    for (const word of ['a', 'b', 'c']) peer.send(word);
    peer.send(new Uint8Array([1]));
    peer.close(4000, 'done');
    const heard: [string, boolean][] = [];
    for await (const { bytes, binary } of end.messages) heard.push([text(bytes), binary]);
    expect(heard).toEqual([
      ['a', false],
      ['b', false],
      ['c', false],
      ['\u0001', true],
    ]);
    expect(await end.closed).toEqual({ code: 4000, reason: 'done' });
  });

  it('stops reading while nobody asks', async () => {
    const { end, peer } = await pair();
    const big = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i += 1) peer.send(big);
    await new Promise((r) => setTimeout(r, 200));
    expect(peer.bufferedAmount).toBeGreaterThan(10_000_000);
    let count = 0;
    for await (const { bytes } of end.messages) {
      count += bytes.length === big.length ? 1 : 0;
      if (count === 200) break;
    }
    expect(count).toBe(200);
  });

  it('asks to wait while the other side does not read, and lets go when it closes', async () => {
    const { end, peer } = await pair();
    peer.pause();
    let waits: Promise<void> | undefined;
    for (let i = 0; i < 500 && waits === undefined; i += 1) waits = end.send('y'.repeat(100_000));
    expect(waits).toBeInstanceOf(Promise);
    end.cut();
    await expect(waits).resolves.toBeUndefined();
    expect(end.send('more')).toBeUndefined();
    expect((await end.closed).code).toBe(1006);
  });

  it.each([
    [1000, 'fine', 1000, 'fine'],
    [1006, 'nobody may say that', 1011, 'nobody may say that'],
    [1005, '', 1011, ''],
    [999, '', 1011, ''],
    [4999, 'own', 4999, 'own'],
    [1008, `${'é'.repeat(61)}ab`, 1008, `${'é'.repeat(61)}a`],
    [1008, 'é'.repeat(70), 1008, 'é'.repeat(61)],
  ])('says goodbye with %i as far as the protocol lets it', async (code, reason, said, words) => {
    const { end, peer } = await pair();
    const closed = new Promise((resolve) => peer.once('close', (c, r) => resolve([c, r.toString()])));
    end.close(code, reason);
    expect(await closed).toEqual([said, words]);
  });

  it('cuts a peer that does not answer a goodbye, and takes nothing from it meanwhile', async () => {
    const { end, peer } = await pair();
    peer.pause();
    end.close(1000, '');
    expect((await end.closed).code).toBe(1006);
    const heard: unknown[] = [];
    for await (const message of end.messages) heard.push(message);
    expect(heard).toEqual([]);
  }, 10_000);

  it('finds out that a peer has gone without a word, and lets an idle one be', async () => {
    const { end, peer } = await pair(20);
    const reading = (async () => {
      for await (const _ of end.messages);
    })();
    await new Promise((r) => setTimeout(r, 200));
    expect(peer.readyState).toBe(peer.OPEN);
    peer.pause();
    expect((await end.closed).code).toBe(1006);
    await reading;
  });
});
