import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const root = join(process.env['RECORDED'] ?? '../shared/data', 'streams');

/** A recorded stream, with what is known of it by the plainest reading. */
export interface Tape {
  readonly name: string;
  readonly bytes: Buffer;
  readonly language: 'anthropic' | 'chat';
  /** byte offsets behind each event */
  readonly boundaries: readonly number[];
  readonly events: readonly Record<string, unknown>[];
}

function tapeOf(name: string, bytes: Buffer): Tape | undefined {
  const text = bytes.toString();
  const language = text.includes('"message_start"') ? 'anthropic' : text.includes('"choices"') ? 'chat' : undefined;
  if (!language) return undefined;
  const boundaries: number[] = [];
  for (let at = bytes.indexOf('\n\n'); at !== -1; at = bytes.indexOf('\n\n', at + 2)) boundaries.push(at + 2);
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>);
  return { name, bytes, language, boundaries, events };
}

/** A fixture may hold several answers in a row: each is one reply of its own, cut behind its terminal event. */
function answersOf(tape: Tape): Tape[] {
  const ends = tape.boundaries.filter((end, i) =>
    tape.bytes.subarray(tape.boundaries[i - 1] ?? 0, end).includes('"message_stop"'),
  );
  if (ends.length < 2) return [tape];
  return ends.map((end, i) => tapeOf(`${tape.name} #${i + 1}`, tape.bytes.subarray(ends[i - 1] ?? 0, end)) as Tape);
}

/** Every Anthropic stream and every chat-completions stream, whatever the provider's folder. */
const files: readonly Tape[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.sse'))
  .sort()
  .map((path) => tapeOf(path, readFileSync(join(root, path))))
  .filter((tape): tape is Tape => tape !== undefined);

/** Whole files first, then the single answers of those that hold several. */
export const tapes: readonly Tape[] = [
  ...files,
  ...files.flatMap((tape) => answersOf(tape).filter((answer) => answer !== tape)),
];

/** True for a file of several answers: as one reply it never was. */
export const isReel = (tape: Tape): boolean => answersOf(tape).length > 1;

/** The dialect's upstream that plays tapes: which one, cut where, in what pieces, stands in the request's headers. */
export async function startPlayer(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    request.resume();
    const tape = tapes[Number(request.headers['x-tape'])] as Tape;
    const bytes = tape.bytes.subarray(0, Number(request.headers['x-cut'] ?? tape.bytes.length));
    const size = Number(request.headers['x-chunk'] ?? 1 << 20);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
    for (let at = 0; at < bytes.length; at += size) {
      if (!response.write(bytes.subarray(at, at + size)))
        await new Promise((resolve) => response.once('drain', resolve));
      // lets the piece leave as a packet of its own
      if (at % (size * 64) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (request.headers['x-ending'] === 'destroy') {
      await new Promise((resolve) => setTimeout(resolve, 5));
      response.destroy();
    } else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Count = number | undefined;

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

/** All tokens the provider counted for a tape: input of every kind, and output of every kind. */
export function truth(tape: Tape): { input: number; output: number } {
  if (tape.language === 'chat') {
    const usage = tape.events.map((e) => record(e['usage'])).findLast((u) => u?.['total_tokens'] !== undefined);
    const input = (usage?.['prompt_tokens'] as Count) ?? 0;
    return { input, output: ((usage?.['total_tokens'] as Count) ?? 0) - input };
  }
  const sum = { input: 0, output: 0 };
  const add = (usage: unknown): void => {
    const u = record(usage);
    for (const name of ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'])
      sum.input += (u?.[name] as Count) ?? 0;
    sum.output += (u?.['output_tokens'] as Count) ?? 0;
  };
  let last: Record<string, unknown> | undefined;
  for (const event of tape.events) {
    if (event['type'] === 'message_start') last = record(record(event['message'])?.['usage']);
    if (event['type'] === 'message_delta') last = { ...last, ...record(event['usage']) };
    if (event['type'] !== 'message_stop') continue;
    const iterations = last?.['iterations'];
    if (Array.isArray(iterations)) iterations.forEach(add);
    else add(last);
  }
  return sum;
}
