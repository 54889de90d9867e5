import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withExtended } from '../../../gateway/config/extended-files.ts';
import type { Problem, SourceFile } from '../../../gateway/domain/source.ts';
import { compilePolicy, readPolicy } from '../../../gateway/policy/compile-policy.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tollgate-extends-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const head = (name: string, more = ''): string => `policy: tollgate/v1\nname: ${name}\ndefault: allow\n${more}`;
const rule = (id: string): string => `rules: [{ id: ${id}, at: input, verdict: deny }]\n`;

function write(path: string, text: string): SourceFile {
  const at = join(root, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  return { path: at, text };
}

const follow = (...given: SourceFile[]) => withExtended(given, join(root, 'policies'));
const said = ({ line, column, message }: Problem): string => `${line}:${column} ${message}`;

describe('what a policy extends', () => {
  it('inside the folder: a folder or a file, once, whether or not it is given too', () => {
    const base = write('policies/base/policy.yaml', head('base', rule('b')));
    const one = write('policies/one/policy.yaml', head('one', 'extends: ../base\n'));
    const two = write('policies/two/policy.yaml', head('two', 'extends: [../base/policy.yaml, ../one]\n'));
    const { files, problems } = follow(base, one, two);
    expect(problems).toEqual([]);
    expect(files.map((f) => f.extends)).toEqual([undefined, [base.path], [base.path, one.path]]);
    const deep = write('policies/lib/deep/base/policy.yaml', head('deep', rule('d')));
    const three = write('policies/three/policy.yaml', head('three', 'extends: ../lib/deep/base\n'));
    const found = follow(three);
    expect(found.files.map((f) => [f.path, f.extended])).toEqual([
      [three.path, undefined],
      [deep.path, true],
    ]);
    expect(compilePolicy(found.files, sha256).size).toBe(1);
  });

  it('outside of it: with a pin that holds', () => {
    const text = head('org', rule('o'));
    const org = write('shared/org/policy.yaml', text);
    const use = (pin: string): SourceFile =>
      write('policies/a/policy.yaml', head('a', `extends:\n  - { path: ../../shared/org, sha256: ${pin} }\n`));
    expect(follow(use(sha256(text)))).toMatchObject({ problems: [], files: [{ extends: [org.path] }, { text }] });
    const wrong = follow(use('a'.repeat(64)));
    expect(wrong.problems.map(said)).toEqual([
      `5:5 \`../../shared/org\` is not what was pinned: its SHA-256 is ${sha256(text)}; read what changed, then set \`sha256\` to that`,
    ]);
    expect(wrong.files).toHaveLength(1);
    expect(wrong.folders).toEqual([join(root, 'shared/org')]);
    const bare = follow(write('policies/a/policy.yaml', head('a', 'extends: ../../shared/org\n')));
    expect(bare.problems.map(said)).toEqual([
      `4:10 \`../../shared/org\` lies outside of the policies folder and needs a pin: write \`{ path: ../../shared/org, sha256: ${sha256(text)} }\``,
    ]);
  });

  it('is not let out by a link, and a pin inside the folder is held to as well', () => {
    write('shared/org/policy.yaml', head('org'));
    mkdirSync(join(root, 'policies'));
    symlinkSync(join(root, 'shared/org'), join(root, 'policies/linked'));
    expect(follow(write('policies/a/policy.yaml', head('a', 'extends: ../linked\n'))).problems[0]?.message).toContain(
      'needs a pin',
    );
    const base = write('policies/base/policy.yaml', head('base'));
    const pinned = write(
      'policies/a/policy.yaml',
      head('a', `extends: { path: ../base, sha256: ${'b'.repeat(64)} }\n`),
    );
    expect(follow(base, pinned).problems[0]?.message).toContain('is not what was pinned');
  });

  it('may not go round, nor be missing, nor be anything but a policy file', () => {
    const a = write('policies/a/policy.yaml', head('a', 'extends: ../b\n'));
    const b = write('policies/b/policy.yaml', head('b', 'extends: ../c\n'));
    const c = write('policies/c/policy.yaml', head('c', 'extends: ../a\n'));
    expect(follow(a, b, c).problems.map((p) => [p.file, said(p)])).toEqual([
      [c.path, "4:10 `../a` leads back to this file; a bundle can't stand on itself: take one `extends` out"],
    ]);
    const self = write('policies/s/policy.yaml', head('s', 'extends: .\n'));
    expect(follow(self).problems[0]?.message).toContain('leads back to this file');
    mkdirSync(join(root, 'policies/empty'));
    const lost = write('policies/l/policy.yaml', head('l', 'extends: [../nowhere, ../empty, /dev/null, "a\\0b"]\n'));
    expect(follow(lost).problems.map(said)).toEqual([
      `4:11 there is no \`../nowhere\` (looked for ${join(root, 'policies/nowhere')}); check the path, it is relative to this file`,
      '4:23 there is no `policy.yaml` in `../empty`',
      '4:33 `/dev/null` is neither a file nor a folder',
      `4:44 there is no \`a\0b\` (looked for ${join(root, 'policies/l/a\0b')}); check the path, it is relative to this file`,
    ]);
  });

  it('never throws, whatever stands there', () => {
    const junk = fc.oneof(fc.jsonValue(), fc.string(), fc.constant([{ path: '..', sha256: 'x' }]));
    fc.assert(
      fc.property(junk, (value) => {
        const file = {
          path: join(root, 'policies/x/policy.yaml'),
          text: head('x', `extends: ${JSON.stringify(value)}`),
        };
        const { files } = follow(file);
        expect(readPolicy(files, []).problems.length).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a bundle that extends another', () => {
  const compile = (...files: SourceFile[]) => readPolicy(follow(...files).files, []).problems.map(said);

  it('may use its lists, not hide them', () => {
    const base = write('policies/base/policy.yaml', head('base', 'lists: { staff: [a.example] }\n'));
    const when = 'rules: [{ id: r, at: input, when: "text in lists.staff", verdict: deny }]\n';
    expect(compile(base, write('policies/a/policy.yaml', head('a', `extends: ../base\n${when}`)))).toEqual([]);
    expect(compile(base, write('policies/a/policy.yaml', head('a', when)))[0]).toContain('unknown list `lists.staff`');
    const twice = head('a', `extends: ../base\nlists: { staff: [] }\n${when}`);
    expect(compile(base, write('policies/a/policy.yaml', twice))).toEqual([
      '5:10 the list `staff` stands in `base` too, which this bundle extends; give one another name',
    ]);
  });

  it('with a parent brings in nothing that would hold for everyone', () => {
    const org = write('policies/org/policy.yaml', head('org'));
    const loose = write('policies/loose/policy.yaml', head('loose'));
    const tenant = (): SourceFile => write('policies/t/policy.yaml', head('t', 'parent: org\nextends: ../loose\n'));
    expect(compile(org, loose, tenant())[0]).toContain('would hold for everyone');
    expect(compile(org, write('policies/loose/policy.yaml', head('loose', 'parent: org\n')), tenant())).toEqual([]);
  });

  it('is refused where nobody followed it, and says what a reference looks like', () => {
    const file = { path: 'p/policy.yaml', text: head('p', 'extends: ../base\n') };
    expect(readPolicy([file], []).problems.map(said)).toEqual(['4:1 what this bundle extends was not read with it']);
    const wrong = (text: string): string[] => compile(write('policies/w/policy.yaml', head('w', `extends: ${text}\n`)));
    expect(wrong('https://example.com/p.yaml')[0]).toContain('must be a path: fetch the bundle first');
    expect(wrong('{ path: ../base, sha25: x }').join()).toContain('unknown field `sha25`; did you mean `sha256`?');
    expect(wrong(`{ path: ../base, sha256: ${'A'.repeat(64)} }`)[0]).toContain('64 hexadecimal digits in lower case');
  });

  it('has another digest where what it extends has another text', () => {
    const digest = (id: string): string => {
      write('policies/base/policy.yaml', head('base', rule(id)));
      const file = write('policies/a/policy.yaml', head('a', 'extends: ../base\n'));
      return compilePolicy(follow(file).files, sha256).digest;
    };
    expect(digest('x')).not.toBe(digest('y'));
    expect(readFileSync(join(root, 'policies/base/policy.yaml'), 'utf8')).toContain('id: y');
  });
});
