import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../gateway/dialects/openai-responses.ts';
import { parseStrict } from '../../gateway/domain/json-text.ts';

const root = join(process.env['RECORDED'] ?? '', 'streams');
const TERMINAL = /"type":\s*"response\.(?:completed|incomplete|failed)"/;
const REQUEST = '{"type":"response.create","model":"m","input":"hi"}';

/** The data of every event of a recording: what a socket would have carried. */
const messagesOf = (path: string): string[] =>
  readFileSync(join(root, path), 'utf8')
    .split(/\n\n/)
    .flatMap((event) => /^data: ?(\{.*)$/m.exec(event)?.[1] ?? []);

const readable = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const recordings = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.sse'))
  .sort()
  .map((path) => ({ path, messages: messagesOf(path) }))
  // what a socket carries must be JSON; one recording has an event that is none
  .filter(({ messages }) => messages.some((text) => TERMINAL.test(text)) && messages.every(readable));

describe('recorded responses, as a socket would have carried them', () => {
  it('there are many', () => {
    expect(recordings.length).toBeGreaterThan(20);
  });

  it.each(recordings)(
    '$path: the same usage as its stream, each response by itself, and every message as it came',
    ({ messages }) => {
      const session = openaiResponses.socket.open('/v1/responses');
      const asked = session.hear(parseStrict(REQUEST), REQUEST.length);
      if (asked.kind !== 'call') throw new Error('a response was asked for');
      const readers = new Map<string, ReturnType<typeof session.openReader>>();
      for (const text of messages) {
        const { response } = session.watch(JSON.parse(text), text.length);
        if (response === undefined) continue;
        const reader = readers.get(response) ?? session.openReader(asked.body.reading, '');
        readers.set(response, reader);
        const frames = reader.push(Buffer.from(text));
        expect(frames.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([text]);
      }
      const stream = openaiResponses.openStream(asked.body.reading);
      stream.push(Buffer.from(messages.map((text) => `data: ${text}\n\n`).join('')));
      stream.end();
      const apart = [...readers.values()].map((reader) => reader.usage());
      expect(apart.flatMap(({ entries }) => entries)).toEqual(stream.usage().entries);
      expect(
        [...readers.values()]
          .map((reader) => reader.text())
          .filter(Boolean)
          .join('\n'),
      ).toBe(stream.text());
    },
  );
});
