import { existsSync, readFileSync } from 'node:fs';
import { kindsOf } from '../detectors/remote/open-remote.ts';
import { readSource } from '../domain/source.ts';
import type { KnownDetector } from '../policy/known-detectors.ts';

type Loose = Readonly<Record<string, unknown>>;

const loose = (value: unknown): Loose => (typeof value === 'object' && value !== null ? (value as Loose) : {});

/**
 * The remote detectors a configuration names, for commands that only look at policies: no variable has to be set and nothing else
 * in the file be right. None where there is no such file.
 */
export function remotesIn(file: string): readonly KnownDetector[] {
  if (!existsSync(file)) return [];
  const { value } = readSource(file, readFileSync(file, 'utf8'));
  return Object.entries(loose(loose(loose(value)['detectors'])['remote'])).map(([name, said]) => {
    const { kinds } = loose(said);
    const named = Array.isArray(kinds) ? kinds.filter((kind) => typeof kind === 'string') : undefined;
    return { name, kinds: kindsOf(name, named), remote: true };
  });
}
