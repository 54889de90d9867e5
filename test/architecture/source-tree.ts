import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const SKIPPED = new Set(['node_modules', 'dist', 'data', 'coverage', '.git', '.vitest-attachments']);

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The paths of every file under `root` that could be committed, relative to it, sorted. */
export function pathsUnder(root: string): string[] {
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (SKIPPED.has(entry.name)) return [];
      const path = join(folder, entry.name);
      return entry.isDirectory() ? walk(path) : entry.isFile() ? [relative(root, path)] : [];
    });
  return walk(root).sort();
}

/** The repository's files whose path matches, with their text. */
export function filesMatching(pattern: RegExp): SourceFile[] {
  return pathsUnder(process.cwd())
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

const COMMENT_OR_STRING = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g;

/** TypeScript text without its comments; strings stay. */
export function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (found) => (found.startsWith('/') ? ' ' : found));
}
