import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Call } from '../../../gateway/cli/feed/call.ts';
import { followCalls } from '../../../gateway/cli/feed/follow-calls.ts';

const call = (id: string): Call => ({ id }) as Call;

/** An office with a record and live readers. */
class Office {
  readonly record: Call[] = [];
  readonly readers = new Set<ServerResponse>();
  readonly asked: string[] = [];
  readonly server: Server = createServer((request, response) => {
    this.asked.push(request.url ?? '');
    const url = new URL(request.url ?? '', 'http://x');
    if (request.headers.accept === 'text/event-stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hello\n\n');
      this.readers.add(response);
      response.on('close', () => this.readers.delete(response));
      return;
    }
    const calls = this.record.toReversed().slice(0, Number(url.searchParams.get('limit')));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ calls }));
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Calls end: they are recorded and told to whoever reads. */
  tell(...ids: readonly string[]): void {
    for (const id of ids) {
      this.record.push(call(id));
      for (const reader of this.readers) reader.write(`id: 1\nevent: call\ndata: ${JSON.stringify(call(id))}\n\n`);
    }
  }

  hangUp(how: 'destroy' | 'end'): void {
    for (const reader of this.readers) reader[how]();
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

let office: Office;
let stop: AbortController;

afterEach(async () => {
  stop.abort();
  await office.close();
});

/** Follows until `count` calls were told; runs `during` once the stream stands. */
async function follow(
  url: string,
  count: number,
  during: (event: 'open' | 'retry') => void,
  options: { backlog?: number; run?: string } = {},
): Promise<string[]> {
  const told: string[] = [];
  const events = { onOpen: () => during('open'), onRetry: () => during('retry') };
  for await (const one of followCalls(url, stop.signal, { ...options, ...events })) {
    told.push(one.id);
    if (told.length === count) break;
  }
  return told;
}

async function start(): Promise<string> {
  office = new Office();
  stop = new AbortController();
  return office.open();
}

describe('following the calls of a gate', () => {
  it('tells what ends from now on, and nothing older', async () => {
    const url = await start();
    office.tell('old');
    expect(await follow(url, 2, () => office.tell('a', 'b'))).toEqual(['a', 'b']);
  });

  it('tells the newest of the past first where asked to', async () => {
    const url = await start();
    for (const id of ['a', 'b', 'c']) office.tell(id);
    expect(await follow(url, 3, () => office.tell('d'), { backlog: 2 })).toEqual(['b', 'c', 'd']);
  });

  it('asks for one run only', async () => {
    const url = await start();
    await follow(url, 1, () => office.tell('a'), { run: 'a b/c' });
    expect(office.asked.every((path) => new URL(path, url).searchParams.get('run') === 'a b/c')).toBe(true);
  });

  it('opens a broken stream again and tells what it missed once, in order', async () => {
    const url = await start();
    office.tell('old');
    let opened = 0;
    const told = await follow(url, 5, (event) => {
      if (event === 'retry') office.tell('c', 'd');
      else if (opened === 0) {
        opened = 1;
        office.tell('a', 'b');
        setTimeout(() => office.hangUp('destroy'), 50);
      } else office.tell('e');
    });
    expect(told).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('tells what it missed even where nothing was told before the break', async () => {
    const url = await start();
    office.tell('old');
    const told = await follow(url, 1, (event) => {
      if (event === 'retry') office.tell('a');
      else if (office.record.length === 1) setTimeout(() => office.hangUp('end'), 20);
    });
    expect(told).toEqual(['a']);
  });

  it('ends quietly when it is stopped', async () => {
    const url = await start();
    setTimeout(() => stop.abort(), 50);
    expect(await follow(url, 1, () => undefined)).toEqual([]);
    await expect.poll(() => office.readers.size).toBe(0);
  });

  it('says what to do where no gate answers', async () => {
    const url = await start();
    await office.close();
    await expect(follow(url, 1, () => undefined)).rejects.toThrow(
      `no gate answers at \`${url}\`: start one with \`tollgate serve\``,
    );
  });

  it('says so where something other than an office answers', async () => {
    const url = await start();
    office.server.removeAllListeners('request');
    office.server.on('request', (_request, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html>');
    });
    await expect(follow(url, 1, () => undefined)).rejects.toThrow('is it the office door of a tollgate?');
  });
});
