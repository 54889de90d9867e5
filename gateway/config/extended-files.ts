import { hash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { type Path, type Problem, readSource, type Source, type SourceFile } from '../domain/source.ts';

/** Policy files with those they extend. */
export interface Extended {
  /** those given, then those that are extended, each once */
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
  /** where the extended files are or should be, besides the folder itself */
  readonly folders: readonly string[];
}

interface Reference {
  readonly path: string;
  readonly sha256: string | undefined;
  /** where it stands in the file */
  readonly at: Path;
}

const MAX_BYTES = 8 * 1_048_576;
const MAX_FILES = 256;

/**
 * Follows `extends` of policy files: each names a file, or a folder with a `policy.yaml`, relative to itself. What lies outside of
 * `folder` needs a pin. Never throws: what is missing, too large, pinned to something else or goes round is a problem.
 */
export function withExtended(given: readonly SourceFile[], folder: string): Extended {
  const reading = new Reading(folder);
  for (const file of given) reading.add(file);
  reading.follow();
  return reading.result();
}

class Reading {
  readonly #root: string;
  readonly #files: SourceFile[] = [];
  /** real path → the file as it was given or read first */
  readonly #byPlace = new Map<string, SourceFile>();
  readonly #links = new Map<string, string[]>();
  readonly #problems: Problem[] = [];
  readonly #folders = new Set<string>();

  constructor(folder: string) {
    this.#root = realOr(folder);
  }

  add(file: SourceFile): void {
    this.#files.push(file);
    this.#byPlace.set(realOr(file.path), file);
  }

  follow(): void {
    // files that are found on the way are appended and have their turn
    for (const file of this.#files) {
      if (!file.text.includes('extends')) continue;
      const source = readSource(file.path, file.text);
      const links = referencesOf(source).flatMap((reference) => {
        const wrong = (message: string): void => {
          this.#problems.push(source.problem(reference.at, message));
        };
        const base = this.#find(file, reference, wrong);
        if (base === undefined) return [];
        if (this.#reaches(base.path, file.path)) {
          wrong(
            `\`${reference.path}\` leads back to this file; a bundle can't stand on itself: take one \`extends\` out`,
          );
          return [];
        }
        return [base.path];
      });
      this.#links.set(file.path, links);
    }
  }

  result(): Extended {
    const files = this.#files.map((file) => {
      const links = this.#links.get(file.path);
      return links === undefined ? file : { ...file, extends: links };
    });
    return { files, problems: this.#problems, folders: [...this.#folders] };
  }

  #find(from: SourceFile, { path, sha256 }: Reference, wrong: (message: string) => void): SourceFile | undefined {
    const at = isAbsolute(path) ? path : join(dirname(from.path), path);
    const place = this.#placeOf(at, path, wrong);
    if (place === undefined) return undefined;
    const known = this.#byPlace.get(realOr(place));
    const bytes = known ? Buffer.from(known.text) : readOr(place, path, wrong);
    if (bytes === undefined) return undefined;
    const digest = hash('sha256', bytes, 'hex');
    if (sha256 !== undefined && sha256 !== digest) {
      wrong(
        `\`${path}\` is not what was pinned: its SHA-256 is ${digest}; read what changed, then set \`sha256\` to that`,
      );
      return undefined;
    }
    if (known && !known.extended) return known;
    if (sha256 === undefined && !isWithin(this.#root, realOr(place))) {
      wrong(
        `\`${path}\` lies outside of the policies folder and needs a pin: write \`{ path: ${path}, sha256: ${digest} }\``,
      );
      return undefined;
    }
    if (known) return known;
    if (this.#files.length >= MAX_FILES) {
      wrong(`more than ${MAX_FILES} policy files are read in all; extend fewer`);
      return undefined;
    }
    const file: SourceFile = { path: place, text: bytes.toString('utf8'), extended: true };
    this.add(file);
    return file;
  }

  /** The file a path means; its folder is worth watching even where nothing is there yet. */
  #placeOf(at: string, path: string, wrong: (message: string) => void): string | undefined {
    const kind = kindOf(at);
    this.#folders.add(kind === 'folder' ? at : dirname(at));
    if (kind === 'file') return at;
    if (kind === 'other') wrong(`\`${path}\` is neither a file nor a folder`);
    else if (kind === undefined)
      wrong(`there is no \`${path}\` (looked for ${at}); check the path, it is relative to this file`);
    else {
      const inner = ['policy.yaml', 'policy.yml'].map((name) => join(at, name)).find((p) => kindOf(p) === 'file');
      if (inner === undefined) wrong(`there is no \`policy.yaml\` in \`${path}\``);
      return inner;
    }
    return undefined;
  }

  #reaches(from: string, to: string): boolean {
    const seen = new Set([from]);
    for (const path of seen) for (const next of this.#links.get(path) ?? []) seen.add(next);
    return seen.has(to);
  }
}

/** What a file says it extends; what does not look like it is left to the schema of the language. */
function referencesOf(source: Source): Reference[] {
  const { value } = source;
  const said = isRecord(value) ? value['extends'] : undefined;
  const items: readonly [unknown, Path][] = Array.isArray(said)
    ? said.map((item, i) => [item, ['extends', i]])
    : [[said, ['extends']]];
  return items.flatMap(([item, at]) => {
    const path = isRecord(item) ? item['path'] : item;
    const pin = isRecord(item) ? item['sha256'] : undefined;
    if (typeof path !== 'string' || path === '' || path.includes('://')) return [];
    if (isRecord(item) && typeof pin !== 'string') return [];
    return [{ path, sha256: typeof pin === 'string' ? pin : undefined, at }];
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** Undefined where nothing can be found there, for whatever reason. */
function kindOf(path: string): 'file' | 'folder' | 'other' | undefined {
  try {
    const found = statSync(path);
    return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
  } catch {
    return undefined;
  }
}

function readOr(place: string, path: string, wrong: (message: string) => void): Buffer | undefined {
  try {
    if (statSync(place).size <= MAX_BYTES) return readFileSync(place);
    wrong(`\`${path}\` is larger than 8 MiB; split it`);
  } catch (error) {
    wrong(`\`${path}\` cannot be read: ${error instanceof Error ? error.message : 'unknown'}`);
  }
  return undefined;
}
