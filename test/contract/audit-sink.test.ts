import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sinks } from '../../gateway/audit/sinks/_all.ts';
import type { JsonObject } from '../../gateway/domain/json.ts';
import type { SinkEnv } from '../../gateway/ports/audit-sink.ts';
import type { StoredLine } from '../../gateway/ports/spool.ts';
import { event } from '../unit/audit/entries.ts';

/** A place that a sink writes to: what arrived, and how to make it fail. */
interface Place {
  readonly options: JsonObject;
  readonly env: SinkEnv;
  arrived(): string;
  fail(on: boolean): void;
}

/** Like `process.stdout`, which stays usable after an error. */
class MemoryStdout extends Writable {
  text = '';
  broken = false;

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (!this.broken) this.text += chunk;
    setImmediate(() => done(this.broken ? new Error('closed pipe') : null));
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error);
    (this as unknown as { _undestroy(): void })._undestroy();
  }
}

/** One for each kind; a new sink without one fails below. */
const places: Record<string, () => Promise<Place>> = {
  async stdout() {
    const stdout = new MemoryStdout({ highWaterMark: 1024 });
    return {
      options: { type: 'stdout' },
      env: { stdout },
      arrived: () => stdout.text,
      fail(on) {
        stdout.broken = on;
      },
    };
  },
  async http() {
    let text = '';
    let broken = false;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        if (!broken) text += body;
        response.writeHead(broken ? 503 : 204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ingest`;
    return {
      options: { type: 'http', url },
      env: { stdout: new MemoryStdout() },
      arrived: () => text,
      fail(on) {
        broken = on;
      },
    };
  },
};

function lines(from: number, count: number): StoredLine[] {
  return Array.from({ length: count }, (_, i) => {
    const entry = event(`e${from + i}`, { text: 'ü \u2028 "\\ \n', pad: 'x'.repeat(500) });
    const hash = String(from + i).padStart(64, '0');
    return {
      seq: from + i,
      hash,
      entry,
      text: `{"seq":${from + i},"hash":"${hash}","entry":${JSON.stringify(entry)}}`,
    };
  });
}

const never = new AbortController().signal;
const textOf = (...batches: StoredLine[][]) =>
  batches
    .flat()
    .map((line) => `${line.text}\n`)
    .join('');

describe.each(sinks.map((kind) => [kind.type, kind] as const))('audit sink contract: %s', (type, kind) => {
  const open = async () => {
    const make = places[type];
    if (make === undefined) throw new Error(`write a place for \`${type}\` in this file`);
    const place = await make();
    return { place, sink: kind.open(place.options, place.env) };
  };

  it('is called after its type unless it has a name', async () => {
    const { place, sink } = await open();
    expect(sink.name).toBe(type);
    const named = kind.open({ ...place.options, name: 'siem-2' }, place.env);
    expect(named.name).toBe('siem-2');
    await Promise.all([sink.close(), named.close()]);
  });

  it('refuses an option it does not know, a name that is none, and another kind’s options', async () => {
    const { place, sink } = await open();
    await sink.close();
    expect(() => kind.open({ ...place.options, colour: 'sk-secret' }, place.env)).toThrow(
      new RegExp(`^audit sink \`${type}\`: \`colour\` is no option of it: use \`type\`, \`name\``),
    );
    expect(() => kind.open({ ...place.options, name: '../x' }, place.env)).toThrow(/`name`: use lower-case/);
    expect(() => kind.open({ ...place.options, type: 'other' }, place.env)).toThrow(TypeError);
  });

  it('has every batch, in order and as it stands in the record, when send resolves', async () => {
    const { place, sink } = await open();
    const batches = [lines(1, 1), lines(2, 500), lines(502, 40)];
    for (const [i, batch] of batches.entries()) {
      await sink.send(batch, never);
      expect(place.arrived()).toBe(textOf(...batches.slice(0, i + 1)));
    }
    await sink.close();
  });

  it('rejects while its place fails, and takes the batch when it is sent again', async () => {
    const { place, sink } = await open();
    place.fail(true);
    await expect(sink.send(lines(1, 3), never)).rejects.toThrow();
    await expect(sink.send(lines(1, 3), never)).rejects.toThrow();
    expect(place.arrived()).toBe('');
    place.fail(false);
    await sink.send(lines(1, 3), never);
    expect(place.arrived()).toBe(textOf(lines(1, 3)));
    await sink.close();
  });

  it('sends nothing once its signal has aborted', async () => {
    const { place, sink } = await open();
    await expect(sink.send(lines(1, 3), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(place.arrived()).toBe('');
    await sink.close();
  });
});
