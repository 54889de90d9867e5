import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET_BYTES } from './sealed-handle.ts';

/** The secret's file in the state folder. */
const FILE = 'seal-key';

/** Reads 32 bytes in base64 or base64url. Throws a TypeError that names where they stand, never what they are. */
function secretFrom(text: string, where: string): Uint8Array {
  const trimmed = text.trim();
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed) ? Buffer.from(trimmed, 'base64') : Buffer.alloc(0);
  if (bytes.length !== SECRET_BYTES)
    throw new TypeError(`${where} is not ${SECRET_BYTES} bytes in base64; make one with \`openssl rand -base64 32\``);
  return bytes;
}

/**
 * The secrets that handles are sealed with: the configured ones, newest first, or the one in the state folder, which is made on the first
 * start with mode 0600. Gateways behind one address need the same configured ones. Throws where one is malformed, or where the file can
 * be read by others.
 */
export function sealSecrets(configured: readonly string[], state: string): readonly Uint8Array[] {
  if (configured.length > 0) return configured.map((text, i) => secretFrom(text, `\`mcp.seal_keys\` number ${i + 1}`));
  const file = join(state, FILE);
  make(file);
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0)
    throw new Error(`\`${file}\` can be read by others; make a new one, or \`chmod 600\` it if nobody has read it`);
  return [secretFrom(readFileSync(file, 'utf8'), `\`${file}\``)];
}

/** Makes the file whole or not at all; where another process was first, its file stays. */
function make(file: string): void {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    statSync(file);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  writeFileSync(draft, `${randomBytes(SECRET_BYTES).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
}
