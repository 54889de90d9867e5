import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedConfig } from '../../config/load.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import { openReadOnly } from '../../stores/embedded/open-embedded.ts';
import type { UseOfModels } from './stale-models.ts';

const DAY_MS = 86_400_000;
const LOOKED_BACK_DAYS = 30;

/** Which models of the price tables were called in the last 30 days, by the index in the state folder; undefined where there is none. */
export function recordedUse(config: LoadedConfig, now: EpochMs): UseOfModels | undefined {
  const file = join(config.state, 'tollgate.db');
  if (!existsSync(file)) return undefined;
  const opened = openReadOnly(file);
  const use = new Map<string, number>();
  try {
    for (const receipt of opened.calls.between(epochMs(now - LOOKED_BACK_DAYS * DAY_MS), epochMs(now + DAY_MS))) {
      const upstream = config.upstreams[receipt.upstream];
      // the lines name the row that priced the call, whatever alias the caller used
      const model = receipt.cost_lines?.[0]?.model;
      if (upstream === undefined || model === undefined) continue;
      const name = `${upstream.prices ?? receipt.upstream}/${model}`;
      use.set(name, (use.get(name) ?? 0) + 1);
    }
  } finally {
    opened.close();
  }
  return use;
}
