import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { filesMatching, type SourceFile } from './source-tree.ts';

const TEXT =
  /(?:\.(?:ts|js|mjs|cjs|json|jsonc|jsonl|md|ya?ml|toml|sh|lua|css|html|tpl|txt)|(?:^|\/)(?:\.[a-z]+|Dockerfile|run|setup))$/;

/** What only this machine knows: where the clone stands, and the registry it installs from. */
function ownNames(): string[] {
  const registry = process.env['npm_config_registry'];
  const above = resolve('..');
  // the suites' own folder stands in the machine's (test/support/own-temp.ts)
  const temporary = [tmpdir(), dirname(tmpdir())];
  return [
    process.cwd(),
    ...(above === '/' || temporary.includes(above) ? [] : [`${above}/`]),
    ...(registry ? [new URL(registry).hostname] : []),
  ];
}

function boundToOneMachine(files: readonly SourceFile[], names = ownNames()): string[] {
  return files.flatMap(({ path, text }) => {
    const found = names.filter((name) => text.includes(name));
    if (path.endsWith('package-lock.json') && /"resolved":\s*"https?:/.test(text)) found.push('a download address');
    if (path.endsWith('.npmrc')) found.push(...(text.match(/^.*registry\s*=.*|^.*_auth.*$/gm) ?? []));
    return found.map((what) => `${path}: ${what}`);
  });
}

test('the rule sees machine paths and registries', () => {
  const file = (path: string, text: string) => [{ path, text }];
  expect(boundToOneMachine(file('a.md', `see ${process.cwd()}/gateway`))).not.toEqual([]);
  expect(boundToOneMachine(file('a.md', 'see gateway/README.md'))).toEqual([]);
  expect(boundToOneMachine(file('package-lock.json', '"resolved": "https://mirror.local/x.tgz"'))).toHaveLength(1);
  expect(boundToOneMachine(file('.npmrc', 'registry=https://mirror.local/'))).toHaveLength(1);
  expect(boundToOneMachine(file('Dockerfile', 'FROM mirror.local/node'), ['mirror.local'])).toHaveLength(1);
});

test('no file is bound to one machine', () => {
  expect(boundToOneMachine(filesMatching(TEXT))).toEqual([]);
});

interface LockEntry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

// A registry mirror without some platform packages writes a lock file that `npm ci` refuses.
test('the lock file lists every optional platform package', () => {
  const lock: { packages: Record<string, LockEntry> } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages),
    ),
  );
  expect(missing).toEqual([]);
});
