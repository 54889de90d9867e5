import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { AuditSink, SinkKind } from '../../ports/audit-sink.ts';
import type { StoredLine } from '../../ports/spool.ts';
import { named, sinkOptions } from './_options.ts';

const compress = promisify(gzip);

const Options = z.strictObject({
  ...named('http'),
  url: z
    .url({ protocol: /^https?$/, error: 'use an absolute http or https URL' })
    .refine(
      (url) => !URL.parse(url)?.username && !URL.parse(url)?.password,
      'put the credential into `bearer`, not into the URL',
    ),
  bearer: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'use a token without white space')
    .optional(),
  timeout_ms: z.int().min(1).max(600_000).default(10_000),
  gzip: z.boolean().default(false),
});

/**
 * POSTs batches as JSON lines, each exactly as it stands in the record. A 2xx answer means the receiver has the batch for good; with
 * anything else it is sent again, a redirect included, which is never followed. Numbers of the first and last line are in the
 * headers `x-tollgate-first-seq` and `x-tollgate-last-seq`, so that a receiver can drop what it already has.
 */
export const http: SinkKind = {
  type: 'http',
  open(options): AuditSink {
    const config = sinkOptions('http', Options, options);
    const agent = new Agent({ connections: 1, pipelining: 1 });
    return {
      name: config.name,
      send: (lines, signal) =>
        post(config, agent, lines, AbortSignal.any([signal, AbortSignal.timeout(config.timeout_ms)])),
      close: () => agent.destroy(),
    };
  },
};

async function post(
  config: z.output<typeof Options>,
  agent: Agent,
  lines: readonly StoredLine[],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const text = lines.map((line) => `${line.text}\n`).join('');
  const { statusCode, body } = await request(config.url, {
    dispatcher: agent,
    method: 'POST',
    headers: {
      'content-type': 'application/x-ndjson',
      ...(config.gzip && { 'content-encoding': 'gzip' }),
      ...(config.bearer !== undefined && { authorization: `Bearer ${config.bearer}` }),
      'x-tollgate-first-seq': String(lines[0]?.seq),
      'x-tollgate-last-seq': String(lines.at(-1)?.seq),
    },
    body: config.gzip ? await compress(text) : text,
    signal,
  });
  await body.dump({ limit: 64 * 1024, signal });
  if (statusCode >= 200 && statusCode < 300) return;
  throw new Error(`the receiver answered ${statusCode}${advice(statusCode)}`);
}

function advice(status: number): string {
  if (status >= 300 && status < 400) return ', a redirect, which is not followed: set `url` to where it points';
  if (status === 401 || status === 403) return ': check `bearer`';
  if (status === 404 || status === 405) return ': check `url`';
  if (status === 413) return ': let it accept bodies of 1 MB';
  return '';
}
