import { getEventListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Breaker } from '../../../gateway/detectors/remote/breaker.ts';
import { kindsOf, openRemote, type RemoteTerms } from '../../../gateway/detectors/remote/open-remote.ts';
import { SHAPES } from '../../../gateway/detectors/remote/shapes.ts';
import { Turnstile } from '../../../gateway/detectors/remote/turnstile.ts';
import { unitOffsets } from '../../../gateway/detectors/remote/unit-offsets.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { stopwatch } from '../../support/stopwatch.ts';

const NEVER = new AbortController().signal;

describe('offsets that count characters', () => {
  it('lead to the same character in a JavaScript text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const unitAt = unitOffsets(text);
        const characters = [...text];
        for (let i = 0; i <= characters.length; i += 1) expect(unitAt(i)).toBe(characters.slice(0, i).join('').length);
        for (const wrong of [characters.length + 1, -1, 0.5, '1', null, undefined])
          expect(unitAt(wrong as Json)).toBe(undefined);
      }),
    );
  });
});

describe('what an answer means', () => {
  const terms = { name: 'p', kinds: undefined, language: 'en', minScore: 0.5 };
  it('of Presidio: places in code points, little scores left out, in order', () => {
    const text = '🙂 Anna and Bela';
    const answer = [
      { entity_type: 'PERSON', start: 11, end: 15, score: 0.85, analysis_explanation: null },
      { entity_type: 'PERSON', start: 2, end: 6, score: 1.2 },
      { entity_type: 'US_DRIVER_LICENSE', start: 2, end: 6, score: 0.01 },
    ];
    const found = SHAPES.presidio.findings(answer, text, terms);
    expect(found.map((f) => [f.kind, text.slice(f.start, f.end), f.confidence])).toEqual([
      ['p.person', 'Anna', 1],
      ['p.person', 'Bela', 0.85],
    ]);
    expect(SHAPES.presidio.request(text, terms)).toEqual({ text, language: 'en', score_threshold: 0.5 });
    expect(SHAPES.presidio.request(text, { ...terms, kinds: ['PERSON'] })).toMatchObject({ entities: ['PERSON'] });
  });

  it('of our own shape: the whole text where no place is named', () => {
    const found = SHAPES.tollgate.findings(
      { findings: [{ kind: 'Jailbreak' }, { kind: 'x', confidence: 0.4 }] },
      'ab',
      terms,
    );
    expect(found).toEqual([{ kind: 'p.jailbreak', start: 0, end: 2, confidence: 1 }]);
  });

  it('anything else is refused, whatever it is', () => {
    for (const wrong of [
      [{ entity_type: 'A', start: 0, end: 9, score: 1 }],
      [{ entity_type: 'A', start: 1, end: 1, score: 1 }],
      [{ entity_type: 'A', score: 1 }],
      [{ entity_type: 'A', start: 0, end: 1, score: '1' }],
      [{ start: 0, end: 1, score: 1 }],
      [null],
      { error: 'x' },
      'no',
    ])
      expect(() => SHAPES.presidio.findings(wrong as Json, 'ab', terms)).toThrow(TypeError);
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (answer, text) => {
        for (const shape of [SHAPES.presidio, SHAPES.tollgate]) {
          try {
            for (const f of shape.findings(answer as Json, text, terms)) expect(f.end).toBeLessThanOrEqual(text.length);
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError);
          }
        }
      }),
    );
  });
});

describe('the breaker', () => {
  it('opens after failures in a row, lets one try through after a while, and closes when it passes', () => {
    let now = 0;
    const turns: boolean[] = [];
    const breaker = new Breaker(
      { failures: 2, openMs: 100 },
      () => now,
      (open) => turns.push(open),
    );
    for (const how of ['failed', 'passed', 'failed'] as const) {
      expect(breaker.enter()).toBe(true);
      breaker[how]();
    }
    expect(breaker.enter()).toBe(true);
    breaker.failed();
    expect(breaker.enter()).toBe(false);
    now = 100;
    expect([breaker.enter(), breaker.enter()]).toEqual([true, false]);
    breaker.failed();
    now = 199;
    expect(breaker.enter()).toBe(false);
    now = 200;
    expect(breaker.enter()).toBe(true);
    breaker.passed();
    expect([breaker.enter(), breaker.enter()]).toEqual([true, true]);
    expect(turns).toEqual([true, false]);
  });
});

describe('the turnstile', () => {
  it('never lets more through than it may, and everyone gets a turn or an answer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 1, max: 30 }),
        async (atOnce, mayWait, n) => {
          const turnstile = new Turnstile(atOnce, mayWait);
          let [inside, most, served] = [0, 0, 0];
          await Promise.all(
            Array.from({ length: n }, async () => {
              if (!(await turnstile.enter(NEVER))) return;
              inside += 1;
              most = Math.max(most, inside);
              await new Promise(setImmediate);
              inside -= 1;
              served += 1;
              turnstile.leave();
            }),
          );
          expect(most).toBeLessThanOrEqual(atOnce);
          expect(served).toBe(Math.min(n, atOnce + mayWait));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes who gives up out of the line', async () => {
    const turnstile = new Turnstile(1, 5);
    const leaving = new AbortController();
    expect(await turnstile.enter(NEVER)).toBe(true);
    const waits = turnstile.enter(leaving.signal);
    leaving.abort();
    expect(await waits).toBe(false);
    turnstile.leave();
    expect(await turnstile.enter(NEVER)).toBe(true);
  });
});

describe('a classifier over HTTP', () => {
  let server: Server;
  let url: string;
  let asked: { text: string; headers: IncomingMessage['headers'] }[];
  let answer: (text: string, response: ServerResponse) => void;
  let opened: ReturnType<typeof openRemote>;
  let results: string[];
  let lines: string[];
  let now: number;

  beforeEach(async () => {
    [asked, results, lines, now] = [[], [], [], 0];
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (c: Buffer) => chunks.push(c));
      request.on('end', () => {
        const { text } = JSON.parse(Buffer.concat(chunks).toString()) as { text: string };
        asked.push({ text, headers: request.headers });
        answer(text, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/analyze?v=1`;
  });
  afterEach(async () => {
    await opened.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function open(change: Partial<RemoteTerms> = {}) {
    const note = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
    opened = openRemote(
      'p',
      {
        url,
        shape: 'presidio',
        language: 'en',
        minScore: 0,
        timeoutMs: 20_000,
        bearer: 'sesame',
        atOnce: 2,
        maxChars: 50,
        breaker: { failures: 3, openMs: 100 },
        ...change,
      },
      {
        log: { info: note, warn: note, error: note },
        ticks: () => now,
        onResult: (result) => results.push(result),
        onBreaker: (open) => results.push(open ? 'open' : 'closed'),
      },
    );
    return opened;
  }
  const people = (text: string, response: ServerResponse): void => {
    response.end(JSON.stringify([{ entity_type: 'PERSON', start: 0, end: text.length, score: 1 }]));
  };

  it('is asked once about a text, now and later, and two at a time at most', async () => {
    let [inside, most] = [0, 0];
    answer = (text, response) => {
      inside += 1;
      most = Math.max(most, inside);
      setTimeout(() => {
        inside -= 1;
        people(text, response);
      }, 5);
    };
    const remote = open();
    const texts = ['a', 'b', 'a', 'c', 'd', 'e', 'a'];
    const first = await remote.classify(texts, NEVER);
    expect(first.map((f) => f?.map((x) => x.kind))).toEqual(texts.map(() => ['p.person']));
    await remote.classify(texts, NEVER);
    expect(asked.map((a) => a.text).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(asked[0]?.headers.authorization).toBe('Bearer sesame');
    expect(most).toBe(2);
    expect(results.filter((r) => r === 'known')).toHaveLength(7);
  });

  it.each<[string, string, (text: string, response: ServerResponse) => void, RegExp]>([
    ['is slow', 'timeout', () => {}, /no answer within 500 ms/],
    ['drips', 'timeout', (_, r) => void setInterval(() => r.write(' '), 20).unref(), /no answer within/],
    ['hangs up', 'failed', (_, r) => r.destroy(), /UND_ERR_SOCKET/],
    ['is broken', 'failed', (_, r) => r.writeHead(500).end('[]'), /status 500/],
    ['sends elsewhere', 'failed', (_, r) => r.writeHead(302, { location: '/x' }).end(), /status 302/],
    ['talks garbage', 'failed', (text, r) => r.end(`<html>${text}`), /no JSON/],
    ['answers another question', 'failed', (_, r) => r.end('{"error":"x"}'), /no list/],
    ['answers too much', 'failed', (_, r) => r.end(Buffer.alloc(2_000_000, 32)), /larger than/],
  ])('that %s gives no answer, is counted, and its text is not logged', async (_, result, how, why) => {
    answer = how;
    const text = 'Zacharias Quux';
    const took = stopwatch();
    const remote = open(result === 'timeout' ? { timeoutMs: 500 } : {});
    expect(await remote.classify([text], NEVER)).toEqual([undefined]);
    expect(took()).toBeLessThan(2_000);
    expect(results).toEqual([result]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(why);
    expect(lines.join()).not.toContain('Zacharias');
    answer = people;
    expect((await opened.classify([text], NEVER))[0]).toHaveLength(1);
    expect(lines[1]).toContain('answers again');
  });

  it('that keeps failing is not asked for a while; one question then decides', async () => {
    answer = (_, r) => r.writeHead(503).end();
    const remote = open();
    for (const text of ['a', 'b', 'c', 'd', 'e']) expect(await remote.classify([text], NEVER)).toEqual([undefined]);
    expect(asked).toHaveLength(3);
    expect(results).toEqual(['failed', 'failed', 'open', 'failed', 'refused', 'refused']);
    now = 100;
    answer = people;
    expect((await remote.classify(['a'], NEVER))[0]).toHaveLength(1);
    expect((await remote.classify(['b', 'c'], NEVER)).every((f) => f?.length === 1)).toBe(true);
    expect(results.slice(-4)).toEqual(['closed', 'answered', 'answered', 'answered']);
  });

  it('is not sent what is too long, and who leaves waits no longer', async () => {
    answer = () => {};
    const remote = open({ timeoutMs: 60_000 });
    expect(await remote.classify(['x'.repeat(51)], NEVER)).toEqual([undefined]);
    expect(asked).toEqual([]);
    const leaving = new AbortController();
    setTimeout(() => leaving.abort(), 20);
    const took = stopwatch();
    expect(await remote.classify(['a'], leaving.signal)).toEqual([undefined]);
    expect(took()).toBeLessThan(2_000);
  });

  it('leaves nothing behind on a signal that outlives the question', async () => {
    answer = () => {};
    const remote = open({ timeoutMs: 200 });
    const { signal } = new AbortController();
    for (const text of ['a', 'a', 'b']) await remote.classify([text, 'c'], signal);
    answer = (_, response) => response.destroy();
    await remote.classify(['d'], signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('that is not there is a failure like any other', async () => {
    const remote = open({ url: 'http://127.0.0.1:1/analyze' });
    expect(await remote.classify(['a'], NEVER)).toEqual([undefined]);
    expect(lines[0]).toContain('ECONNREFUSED');
    expect(kindsOf('p', ['US_SSN'])).toEqual(['p.us_ssn']);
  });
});
