import { join } from 'node:path';
import type { OpenSpool } from '../audit/file-spool.ts';
import { type Shipper, startShipper } from '../audit/shipper.ts';
import { sinks as sinkKinds } from '../audit/sinks/_all.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { JsonObject } from '../domain/json.ts';
import type { Gateway } from '../pipeline/gateway.ts';
import type { Log } from '../ports/log.ts';
import type { Opened } from './opened.ts';

/** Opens the configured sinks and ships the record to each. Throws where an option is wrong or two sinks share a name. */
export async function startShippers(
  opened: Opened,
  config: LoadedConfig,
  spool: OpenSpool,
  metrics: Gateway['metrics'],
  log: Log,
): Promise<void> {
  const sinks = config.sinks.map((options) => {
    const kind = sinkKinds.find((k) => k.type === options.type) as (typeof sinkKinds)[number];
    return kind.open(options as JsonObject, { stdout: process.stdout });
  });
  const twice = sinks.find((sink, i) => sinks.findIndex((other) => other.name === sink.name) !== i);
  if (twice) throw new Error(`${config.file}: two sinks are called \`${twice.name}\`; give one a \`name\``);
  const shippers: Shipper[] = [];
  opened.add(() => Promise.all(shippers.map((shipper) => shipper.stop())));
  for (const sink of sinks)
    shippers.push(
      await startShipper({ spool, sink, cursorFile: join(config.state, `cursor-${sink.name}.json`), metrics, log }),
    );
}
