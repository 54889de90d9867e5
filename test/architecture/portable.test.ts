import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filesMatching, type SourceFile } from './source-tree.ts';

const PUBLIC_REGISTRY = 'registry.npmjs.org';
const TEXT =
  /(?:\.(?:ts|js|mjs|cjs|json|jsonc|jsonl|md|ya?ml|toml|sh|lua|css|html|tpl|txt)|(?:^|\/)(?:\.[a-z]+|Dockerfile|run|setup))$/;
const MACHINE_PATH = /(?<![\w./])\/work\/(?:main|shared|\.)[\w./-]*/g;

/** The host of the registry this machine installs from, unless it is the public one. */
function privateRegistry(): string | undefined {
  const registry = process.env['npm_config_registry'];
  const host = registry === undefined ? undefined : new URL(registry).hostname;
  return host === PUBLIC_REGISTRY ? undefined : host;
}

function boundToOneMachine(files: readonly SourceFile[], registry = privateRegistry()): string[] {
  return files.flatMap(({ path, text }) => {
    const found = [...text.matchAll(MACHINE_PATH)].map((match) => match[0]);
    const resolved = [...text.matchAll(/"resolved":\s*"(https?:\/\/[^/"]+)/g)].map((match) => match[1] ?? '');
    if (path.endsWith('package-lock.json'))
      found.push(...resolved.filter((url) => !url.endsWith(`//${PUBLIC_REGISTRY}`)));
    if (path.endsWith('.npmrc')) found.push(...(text.match(/^.*registry\s*=.*|^.*_auth.*$/gm) ?? []));
    if (registry !== undefined && text.includes(registry)) found.push(registry);
    return found.map((what) => `${path}: ${what}`);
  });
}

test('the rule sees machine paths, mirrors and private registries', () => {
  const file = (path: string, text: string) => [{ path, text }];
  const here = ['', 'work', 'main', 'gateway'].join('/');
  expect(boundToOneMachine(file('a.md', `see ${here}`))).toHaveLength(1);
  expect(boundToOneMachine(file('a.md', 'https://example.org/work/main and ./work/main'))).toEqual([]);
  expect(boundToOneMachine(file('package-lock.json', '"resolved": "http://mirror.local/x.tgz"'))).toHaveLength(1);
  expect(boundToOneMachine(file('package-lock.json', `"resolved": "https://${PUBLIC_REGISTRY}/x.tgz"`))).toEqual([]);
  expect(boundToOneMachine(file('.npmrc', 'registry=https://mirror.local/'))).toHaveLength(1);
  expect(boundToOneMachine(file('Dockerfile', 'FROM mirror.local/node'), 'mirror.local')).toHaveLength(1);
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
