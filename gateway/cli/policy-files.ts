import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withExtended } from '../config/extended-files.ts';
import { detectors } from '../detectors/_all.ts';
import type { Problem, SourceFile } from '../domain/source.ts';
import { readYamlFiles } from '../main.ts';
import type { KnownDetector } from '../policy/known-detectors.ts';
import { CommandFailure } from './terminal.ts';

/** The bundles of a folder with what they extend, and the cases beside them. Throws a CommandFailure where there are none. */
export function policyFiles(folder: string): {
  readonly files: readonly SourceFile[];
  readonly cases: readonly SourceFile[];
  /** what is wrong with what they extend */
  readonly problems: readonly Problem[];
} {
  const own = read(folder, /^policy\.ya?ml$/);
  if (own.length === 0) throw new CommandFailure(2, `no \`policy.yaml\` in \`${folder}\` or a folder below it`);
  const { files, problems } = withExtended(own, folder);
  const cases = own
    .map(({ path }) => join(dirname(path), 'cases.yaml'))
    .filter((path) => existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  return { files, cases, problems };
}

function read(folder: string, name: RegExp): SourceFile[] {
  try {
    return readYamlFiles(folder, name);
  } catch (error) {
    throw new CommandFailure(2, `\`${folder}\` cannot be read: ${error instanceof Error ? error.message : 'unknown'}`);
  }
}

/** Everything a rule may name: the gate's own detectors and `remote` ones. */
export const allKnown = (remote: readonly KnownDetector[]): readonly KnownDetector[] => [...detectors, ...remote];

/** What the gate's own detectors find in a text, for cases that name none. */
export const scanAll = (text: string) => detectors.flatMap((detector) => [...detector.scan(text)]);
