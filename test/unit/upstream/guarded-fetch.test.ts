import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createGuardedFetch, type GuardOptions } from '../../../gateway/upstream/guarded-fetch.ts';
import { isLoopbackAddress, isPublicAddress } from '../../../gateway/upstream/public-address.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

describe('an address', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.168.1.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '5f00::1',
    'example.com',
    '',
    '1.2.3',
    '0x7f.0.0.1',
  ])('`%s` is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '192.0.1.1',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80b::200e',
    '2001:4860:4860::8888',
  ])('`%s` is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it('of this machine is told from one that looks so', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1'].filter((a) => !isLoopbackAddress(a))).toEqual([]);
    expect(['::ffff:127.0.0.1', '128.0.0.1', '::2', 'localhost', '0.0.0.0'].filter(isLoopbackAddress)).toEqual([]);
  });
});

describe('a guarded fetch', () => {
  const named = (...addresses: string[]): GuardOptions => ({ lookup: async () => addresses });

  it.each([
    ['http://example.com/', {}, 'not https'],
    ['file:///etc/passwd', {}, 'not https'],
    ['gopher://127.0.0.1:70/_x', {}, 'not https'],
    ['https://user:pass@example.com/', named('1.1.1.1'), 'holds a name or password'],
    ['https://127.0.0.1/', {}, 'not public'],
    ['https://2130706433/', {}, 'not public'],
    ['https://0x7f.1/', {}, 'not public'],
    ['https://017700000001/', {}, 'not public'],
    ['https://[::1]/', {}, 'not public'],
    ['https://[::ffff:a9fe:a9fe]/latest/meta-data', {}, 'not public'],
    ['https://[fd00:ec2::254]/', {}, 'not public'],
    ['https://169.254.169.254/latest/meta-data', {}, 'not public'],
    ['https://internal.example/', named('10.0.0.7'), 'not public'],
    ['https://mixed.example/', named('1.1.1.1', '10.0.0.7'), 'not public'],
    ['https://mixed.example/', named('1.1.1.1', '::ffff:10.0.0.7'), 'not public'],
    ['https://nowhere.example/', named(), 'no address'],
    ['http://example.com/', { allowLoopback: true, ...named('1.1.1.1') }, 'not on this machine'],
    ['http://rebound.example/', { allowLoopback: true, ...named('127.0.0.1', '1.1.1.1') }, 'not on this machine'],
    ['https://lan.example/', { allowLoopback: true, ...named('192.168.0.4') }, 'not public'],
    ['http://idp.corp/', { trusted: ['idp.corp'], ...named('10.0.0.9') }, 'not https'],
    ['https://other.corp/', { trusted: ['idp.corp'], ...named('10.0.0.9') }, 'not public'],
    ['no url', {}, 'no URL'],
  ] as const)('does not ask %s', async (url, options, why) => {
    await expect(createGuardedFetch(options)(url)).rejects.toMatchObject({
      code: 'TG_UPSTREAM_UNREACHABLE',
      message: expect.stringContaining(why),
    });
  });

  it('connects to the address it has judged, whatever the name says later', async () => {
    const origin = await serve((request, response) => response.end(JSON.stringify({ host: request.headers.host })));
    const port = new URL(origin).port;
    let asked = 0;
    const fetch = createGuardedFetch({
      allowLoopback: true,
      lookup: async () => {
        asked += 1;
        return asked === 1 ? ['127.0.0.1'] : ['169.254.169.254'];
      },
    });
    const answer = await fetch(`http://rebinding.example:${port}/x?y=1`);
    expect(JSON.parse(Buffer.from(answer.body).toString())).toEqual({ host: `rebinding.example:${port}` });
    expect(asked).toBe(1);
  });

  it('reaches a private https address only where the operator named the host', async () => {
    const fetch = createGuardedFetch({ trusted: ['idp.corp'], timeoutMs: 300, lookup: async () => ['127.0.0.1'] });
    await expect(fetch('https://idp.corp:1/')).rejects.toThrow('`idp.corp:1` cannot be reached (econnrefused)');
  });

  it('follows no redirect and sends nothing on', async () => {
    const seen: string[] = [];
    const origin = await serve((request, response) => {
      seen.push(request.url as string);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    await expect(createGuardedFetch({ allowLoopback: true })(`${origin}/a`)).rejects.toThrow(
      'redirects are not followed',
    );
    expect(seen).toEqual(['/a']);
  });

  it('is bounded in size, time and form', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/big') response.end('x'.repeat(2000));
      if (request.url === '/zip') response.writeHead(200, { 'content-encoding': 'gzip' }).end('x');
      if (request.url === '/slow') response.write('{');
    });
    const fetch = createGuardedFetch({ allowLoopback: true, maxBytes: 1000, timeoutMs: 300 });
    await expect(fetch(`${origin}/big`)).rejects.toThrow('larger than 1000 bytes');
    await expect(fetch(`${origin}/zip`)).rejects.toThrow('compressed');
    await expect(fetch(`${origin}/slow`)).rejects.toThrow('within 300 ms');
    const stuck = createGuardedFetch({ timeoutMs: 100, lookup: () => new Promise(() => undefined) });
    await expect(stuck('https://stuck.example/')).rejects.toThrow('within 100 ms');
    const left = fetch(`${origin}/slow`, { method: 'GET', signal: AbortSignal.abort(new Error('left')) });
    await expect(left).rejects.toThrow('left');
  });

  it('posts a form and gives status, headers and bytes', async () => {
    const origin = await serve((request, response) => {
      request.setEncoding('utf8').on('data', (body) => response.writeHead(201, { 'x-seen': body }).end('ok'));
    });
    const fetch = createGuardedFetch({ allowLoopback: true });
    const answer = await fetch(origin, {
      method: 'POST',
      body: 'a=1',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([answer.status, answer.headers['x-seen'], Buffer.from(answer.body).toString()]).toEqual([201, 'a=1', 'ok']);
  });
});
