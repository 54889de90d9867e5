import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

/** The name of the gateway whose state has this file, made where it is missing: holds are told apart by it, also after a restart. */
export function gatewayId(file: string): string {
  try {
    const id = readFileSync(file, 'utf8').trim();
    if (/^gw_[0-9a-f]{32}$/.test(id)) return id;
    throw new Error(`\`${file}\` is no gateway id; delete it if no call of this gateway is open`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const id = `gw_${randomBytes(16).toString('hex')}`;
  writeFileSync(file, `${id}\n`, { mode: 0o600, flag: 'wx', flush: true });
  return id;
}
