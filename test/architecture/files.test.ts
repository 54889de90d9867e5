import { readdirSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { expect, test } from 'vitest';
import { filesMatching, pathsUnder, type SourceFile, withoutComments } from './source-tree.ts';

const CODE = /\.(?:ts|tsx|mjs|cjs|js)$/;
const ROOMS = [
  'domain ports policy price dialects detectors stores identity upstream audit telemetry pipeline server admin config compose cli',
]
  .join(' ')
  .split(' ');
const VAGUE = new Set('util utils helper helpers common misc manager managers service services types index'.split(' '));
/** An index of something says what it is; only the bare name says nothing. */
const COMPOUND = new Set([...VAGUE].filter((word) => word !== 'index'));
const HARD_STOP = 300;
/** Copied as they are from the conformance project, licence beside them: kept comparable with it, so named as there. */
const GIVEN = 'test/conformance/fixture/';

const tooLong = (files: readonly SourceFile[]): string[] =>
  files
    .map(({ path, text }) => ({ path, lines: text.replace(/\n$/, '').split('\n').length }))
    .filter(({ lines }) => lines > HARD_STOP)
    .map(({ path, lines }) => `${path}: ${lines} lines`);

const vague = (paths: readonly string[]): string[] =>
  paths.filter((path) => {
    const stem = basename(path).replace(/(?:\.test|\.config|\.d)?\.[a-z]+$/, '');
    return (
      path.split('/').some((part) => VAGUE.has(part)) ||
      VAGUE.has(stem) ||
      COMPOUND.has(stem.slice(stem.lastIndexOf('-') + 1))
    );
  });

/** Files that hold nothing but re-exports. */
const barrels = (files: readonly SourceFile[]): string[] =>
  files
    .filter(({ text }) => {
      const code = withoutComments(text).trim();
      const rest = code.replace(/export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+';?/g, '').trim();
      return code !== '' && rest === '';
    })
    .map(({ path }) => path);

test('the rules see what they are meant to see', () => {
  expect(tooLong([{ path: 'a.ts', text: 'x\n'.repeat(301) }])).toEqual(['a.ts: 301 lines']);
  expect(tooLong([{ path: 'a.ts', text: 'x\n'.repeat(300) }])).toEqual([]);
  expect(
    vague(['gateway/a/utils.ts', 'gateway/key-manager.ts', 'gateway/common/a.ts', 'gateway/index.ts']),
  ).toHaveLength(4);
  expect(vague(['gateway/action-types.ts', 'gateway/typed.ts', 'gateway/serviceable.ts'])).toHaveLength(1);
  expect(
    barrels([{ path: 'a.ts', text: "// all\nexport * from './b.ts';\nexport type { C } from './c.ts';\n" }]),
  ).toHaveLength(1);
  expect(barrels([{ path: 'a.ts', text: "import { b } from './b.ts';\nexport const all = [b] as const;\n" }])).toEqual(
    [],
  );
});

test(`no file of the gateway is longer than ${HARD_STOP} lines`, () => {
  expect(tooLong(filesMatching(/^gateway\/.*\.(?:ts|tsx|mjs|js|css|html|lua)$/))).toEqual([]);
});

test('no file has a name that says nothing', () => {
  const code = pathsUnder(process.cwd())
    .filter((path) => /^(?:gateway|test|demo|bench|scripts)\//.test(path))
    .filter((path) => !path.startsWith(GIVEN));
  expect(vague(code.filter((path) => CODE.test(extname(path))))).toEqual([]);
});

test('no file is a barrel', () => {
  expect(barrels(filesMatching(/^gateway\/.*\.ts$/))).toEqual([]);
});

test('the gateway has the rooms of the map and no other', () => {
  const rooms = readdirSync('gateway').filter((name) => statSync(`gateway/${name}`).isDirectory());
  expect(rooms.filter((room) => !ROOMS.includes(room))).toEqual([]);
  const loose = readdirSync('gateway').filter((name) => !rooms.includes(name));
  expect(loose.filter((name) => !['main.ts', 'compose.ts', 'README.md'].includes(name))).toEqual([]);
});
