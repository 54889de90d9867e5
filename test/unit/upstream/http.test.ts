import { getEventListeners } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createSocketServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream, UpstreamReply, UpstreamRequest } from '../../../gateway/ports/upstream.ts';
import { openUpstream, type UpstreamOptions } from '../../../gateway/upstream/http.ts';
import { faultOf } from '../../support/fault-of.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listening(server);
}

async function serveSocket(onSocket: (socket: Socket) => void): Promise<string> {
  const open = new Set<Socket>();
  const server = createSocketServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  cleanups.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return listening(server);
}

function open(options?: UpstreamOptions): Upstream {
  const upstream = openUpstream(options);
  cleanups.push(() => upstream.close());
  return upstream;
}

const request = (origin: string, more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  origin,
  path: '/v1/x?y=1',
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  drop: [],
  credential: undefined,
  body: Buffer.from('{"a":1}'),
  signal: new AbortController().signal,
  ...more,
});

async function read(reply: UpstreamReply): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reply.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

const bodyOf = async (incoming: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return text;
};

describe('openUpstream: one request', () => {
  it('carries method, path, headers and body as they are, and brings back status, headers and bytes', async () => {
    let seen: unknown;
    const origin = await serve(async (incoming, outgoing) => {
      seen = {
        method: incoming.method,
        url: incoming.url,
        raw: incoming.rawHeaders,
        body: await bodyOf(incoming),
      };
      outgoing.writeHead(418, [
        ['x-one', 'a'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['x-tollgate-decision', 'forged'],
      ]);
      outgoing.end(Buffer.from([0x1f, 0x8b, 0x00, 0xff]));
    });
    const reply = await open().send(
      request(origin, {
        headers: { host: 'gate', authorization: 'Bearer tg_mine', 'x-many': ['1', '2'], 'x-last': 'z' },
        drop: ['authorization'],
        credential: { bearer: 'theirs' },
      }),
    );
    const bytes: Uint8Array[] = [];
    for await (const chunk of reply.body) bytes.push(chunk);
    expect(reply.status).toBe(418);
    expect(reply.headers['x-one']).toBe('a');
    expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect([...Buffer.concat(bytes)]).toEqual([0x1f, 0x8b, 0x00, 0xff]);
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/x?y=1', body: '{"a":1}' });
    const raw = (seen as { raw: string[] }).raw;
    const names = raw.filter((_, index) => index % 2 === 0);
    expect(names).toEqual([
      'host',
      'connection',
      'x-many',
      'x-many',
      'x-last',
      'accept-encoding',
      'authorization',
      'content-length',
    ]);
    expect(raw[names.indexOf('authorization') * 2 + 1]).toBe('Bearer theirs');
    expect(reply.headers['x-tollgate-decision']).toBeUndefined();
    expect(reply.headers['transfer-encoding']).toBeUndefined();
  });

  it('sends no body for a GET, length 0 for an empty POST, and does not follow a redirect', async () => {
    const lengths: (string | undefined)[] = [];
    const origin = await serve((incoming, outgoing) => {
      lengths.push(incoming.headers['content-length']);
      outgoing.writeHead(302, { location: '/elsewhere' }).end();
    });
    const upstream = open();
    const got = await upstream.send(request(origin, { method: 'GET', body: undefined }));
    expect([got.status, await read(got), got.headers['location']]).toEqual([302, '', '/elsewhere']);
    const posted = await upstream.send(request(origin, { body: undefined }));
    expect(await read(posted)).toBe('');
    expect(lengths).toEqual([undefined, '0']);
  });

  it('skips informational answers', async () => {
    const origin = await serveSocket((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });
    const reply = await open().send(request(origin));
    expect([reply.status, reply.headers['link'], await read(reply)]).toEqual([200, undefined, 'ok']);
  });

  it('keeps connections alive, one per call at a time', async () => {
    const ports: (number | undefined)[] = [];
    const origin = await serve((incoming, outgoing) => {
      ports.push(incoming.socket.remotePort);
      outgoing.end('ok');
    });
    const upstream = open();
    for (let i = 0; i < 6; i += 1) expect(await read(await upstream.send(request(origin)))).toBe('ok');
    expect(new Set(ports).size).toBeLessThanOrEqual(2);
    const replies = await Promise.all(Array.from({ length: 5 }, () => upstream.send(request(origin))));
    for (const reply of replies) expect(await read(reply)).toBe('ok');
    expect(new Set(ports.slice(6)).size).toBeGreaterThan(2);
  });
});

describe('openUpstream: the body', () => {
  it('stops reading from the socket while nobody asks, and goes on when asked', async () => {
    const total = 64 * 1024 * 1024;
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024, 7);
    const origin = await serve((_incoming, outgoing) => {
      const pump = (): void => {
        while (written < total) {
          written += chunk.byteLength;
          if (!outgoing.write(chunk)) {
            outgoing.once('drain', pump);
            return;
          }
        }
        outgoing.end();
      };
      pump();
    });
    const reply = await open().send(request(origin));
    let before = -1;
    while (written !== before) {
      before = written;
      await sleep(150);
    }
    expect(written).toBeLessThan(total / 2);
    let got = 0;
    for await (const part of reply.body) got += part.byteLength;
    expect(got).toBe(total);
  });

  it('a paused reader is not an idle upstream', async () => {
    const origin = await serve((_incoming, outgoing) => outgoing.end(Buffer.alloc(20_000_000)));
    const reply = await open({ idleTimeoutMs: 200 }).send(request(origin));
    await sleep(900);
    let got = 0;
    for await (const part of reply.body) got += part.byteLength;
    expect(got).toBe(20_000_000);
  });

  it('a slow stream that keeps sending is never cut, however long against the limit', async () => {
    const origin = await serve(async (_incoming, outgoing) => {
      for (let i = 0; i < 12; i += 1) {
        outgoing.write(String(i % 10));
        await sleep(150);
      }
      outgoing.end();
    });
    const reply = await open({ idleTimeoutMs: 600 }).send(request(origin));
    expect(await read(reply)).toBe('012345678901');
  });

  it('leaving the loop aborts the request', async () => {
    const closed = Promise.withResolvers<void>();
    const origin = await serve((_incoming, outgoing) => {
      outgoing.on('close', () => closed.resolve());
      outgoing.write('first');
    });
    const reply = await open().send(request(origin));
    for await (const chunk of reply.body) {
      expect(Buffer.from(chunk).toString()).toBe('first');
      break;
    }
    await closed.promise;
    const after: Uint8Array[] = [];
    for await (const chunk of reply.body) after.push(chunk);
    expect(after).toEqual([]);
  });

  it('delivers what came before a break, then throws once', async () => {
    const origin = await serveSocket((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
        setTimeout(() => socket.destroy(), 50);
      });
    });
    const reply = await open().send(request(origin));
    const chunks: string[] = [];
    const fault = await faultOf(
      (async () => {
        for await (const chunk of reply.body) chunks.push(Buffer.from(chunk).toString());
      })(),
    );
    expect(chunks).toEqual(['half']);
    expect(fault.code).toBe('TG_UPSTREAM_BROKE');
    expect(fault.message).toContain('in the middle of its answer');
  });

  it('a chunked body that is cut is a break, not an end', async () => {
    const origin = await serveSocket((socket) => {
      socket.once('data', () =>
        socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nhello\r\n'),
      );
    });
    const reply = await open().send(request(origin));
    expect((await faultOf(read(reply))).code).toBe('TG_UPSTREAM_BROKE');
  });
});

describe('openUpstream: an upstream that compresses although asked not to', () => {
  it('is read decoded, each event as it comes', async () => {
    const gate = Promise.withResolvers<void>();
    const origin = await serve(async (_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/event-stream' });
      const gzip = createGzip();
      gzip.pipe(outgoing);
      gzip.write('data: 1\n\n');
      gzip.flush();
      await gate.promise;
      gzip.end('data: 2\n\n');
    });
    const reply = await open().send(request(origin));
    expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream' });
    expect(reply.headers['content-encoding']).toBeUndefined();
    const seen: string[] = [];
    for await (const chunk of reply.body) {
      seen.push(Buffer.from(chunk).toString());
      gate.resolve();
    }
    expect(seen).toEqual(['data: 1\n\n', 'data: 2\n\n']);
  });

  it('in an unknown coding is refused', async () => {
    const origin = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-encoding': 'compress' }).end('x');
    });
    expect((await faultOf(open().send(request(origin)))).code).toBe('TG_UPSTREAM_UNREADABLE');
  });

  it('an answer without a body may still name a coding', async () => {
    const origin = await serve((_incoming, outgoing) => {
      outgoing.writeHead(204, { 'content-encoding': 'gzip' }).end();
    });
    const reply = await open().send(request(origin));
    expect([reply.status, await read(reply)]).toEqual([204, '']);
  });
});

describe('openUpstream: faults', () => {
  it('nobody listens: certainly not served', async () => {
    const server = createSocketServer();
    const origin = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const fault = await faultOf(open().send(request(origin, { headers: { authorization: 'Bearer sesame' } })));
    expect(fault.code).toBe('TG_UPSTREAM_UNREACHABLE');
    expect(fault.message).toContain(new URL(origin).host);
    expect(fault.message).not.toContain('sesame');
  });

  it('a name without an address: certainly not served', async () => {
    const fault = await faultOf(open().send(request('http://no-such-host.invalid')));
    expect(fault.code).toBe('TG_UPSTREAM_UNREACHABLE');
  });

  it('a TLS handshake that fails: certainly not served', async () => {
    const origin = await serve((_incoming, outgoing) => outgoing.end('plain'));
    const fault = await faultOf(open().send(request(origin.replace('http:', 'https:'))));
    expect(fault.code).toBe('TG_UPSTREAM_UNREACHABLE');
  });

  it('a connection that breaks before the answer: perhaps served, and not sent again', async () => {
    let requests = 0;
    const origin = await serveSocket((socket) => {
      socket.once('data', () => {
        requests += 1;
        socket.destroy();
      });
    });
    const fault = await faultOf(open().send(request(origin)));
    expect([fault.code, requests]).toEqual(['TG_UPSTREAM_BROKE', 1]);
    expect(fault.message).toContain('before it answered');
  });

  it('garbage instead of HTTP: broke', async () => {
    const origin = await serveSocket((socket) => {
      socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n'));
    });
    expect((await faultOf(open().send(request(origin)))).code).toBe('TG_UPSTREAM_BROKE');
  });

  it('no head in time, and silence inside a body, are timeouts', async () => {
    const silent = await serve(() => undefined);
    const upstream = open({ headersTimeoutMs: 200, idleTimeoutMs: 200 });
    const head = await faultOf(upstream.send(request(silent)));
    expect(head.code).toBe('TG_UPSTREAM_TIMEOUT');
    expect(head.message).toContain('did not begin to answer');
    const stalls = await serve((_incoming, outgoing) => {
      outgoing.write('begin');
    });
    const reply = await upstream.send(request(stalls));
    const idle = await faultOf(read(reply));
    expect(idle.code).toBe('TG_UPSTREAM_TIMEOUT');
    expect(idle.message).toContain('in the middle');
  });

  it('what cannot be sent is the caller’s fault and names neither header nor value', async () => {
    const origin = await serve((_incoming, outgoing) => outgoing.end());
    const fault = await faultOf(open().send(request(origin, { headers: { 'x-secret': 'sesame\r\nx: y' } })));
    expect(fault.code).toBe('TG_BAD_REQUEST');
    expect(fault.message).not.toContain('sesame');
  });

  it('after close nothing is sent', async () => {
    const origin = await serve((_incoming, outgoing) => outgoing.end('ok'));
    const upstream = openUpstream();
    expect(await read(await upstream.send(request(origin)))).toBe('ok');
    await upstream.close();
    expect((await faultOf(upstream.send(request(origin)))).code).toBe('TG_UPSTREAM_UNREACHABLE');
  });
});

describe('openUpstream: a kept connection that the peer closed', () => {
  it('is replaced before anything is sent', async () => {
    let connections = 0;
    const origin = await serveSocket((socket) => {
      connections += 1;
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        setTimeout(() => socket.end(), 20);
      });
    });
    const upstream = open();
    for (let i = 0; i < 4; i += 1) {
      expect(await read(await upstream.send(request(origin)))).toBe('ok');
      await sleep(60);
    }
    expect(connections).toBe(4);
  });

  it('is replaced even if the loop had no time to notice the close', async () => {
    let closing = Promise.withResolvers<void>();
    const origin = await serveSocket((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        setTimeout(() => socket.end(() => closing.resolve()), 5);
      });
    });
    const upstream = open();
    for (let i = 0; i < 5; i += 1) {
      expect(await read(await upstream.send(request(origin)))).toBe('ok');
      await closing.promise;
      closing = Promise.withResolvers<void>();
    }
  });
});

describe('openUpstream: abort', () => {
  it('before, while waiting for the head, and inside the body throws the signal’s reason and closes the connection', async () => {
    const closed: string[] = [];
    const origin = await serve((incoming, outgoing: ServerResponse) => {
      outgoing.on('close', () => closed.push(incoming.url ?? ''));
      if (incoming.url === '/body') outgoing.write('first');
    });
    const upstream = open();
    const reason = new Error('gone');
    await expect(upstream.send(request(origin, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);

    const waiting = new AbortController();
    const head = upstream.send(request(origin, { path: '/head', signal: waiting.signal }));
    setTimeout(() => waiting.abort(reason), 50);
    await expect(head).rejects.toBe(reason);

    const inside = new AbortController();
    const reply = await upstream.send(request(origin, { path: '/body', signal: inside.signal }));
    setTimeout(() => inside.abort(reason), 50);
    await expect(read(reply)).rejects.toBe(reason);
    await sleep(50);
    expect(closed.sort()).toEqual(['/body', '/head']);
  });

  it('while connecting: nothing is sent', async () => {
    let requests = 0;
    const origin = await serve((_incoming, outgoing) => {
      requests += 1;
      outgoing.end();
    });
    const controller = new AbortController();
    const sending = open().send(request(origin, { signal: controller.signal }));
    controller.abort();
    await expect(sending).rejects.toThrow();
    await sleep(50);
    expect(requests).toBe(0);
  });

  it('leaves no listener behind', async () => {
    const origin = await serve((incoming, outgoing) => {
      if (incoming.url === '/broken') incoming.socket.destroy();
      else outgoing.end('ok');
    });
    const upstream = open();
    const { signal } = new AbortController();
    await read(await upstream.send(request(origin, { signal })));
    await faultOf(upstream.send(request(origin, { signal, path: '/broken' })));
    const left = await upstream.send(request(origin, { signal }));
    for await (const _ of left.body) break;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
