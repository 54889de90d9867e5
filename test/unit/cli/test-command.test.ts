import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { junitXml } from '../../../gateway/cli/junit.ts';
import { policyFiles } from '../../../gateway/cli/policy-files.ts';
import { testPolicies } from '../../../gateway/cli/test-policies.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-cases-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function bundle(name: string, word: string, cases: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(
    join(folder, name, 'policy.yaml'),
    `policy: tollgate/v1\nname: ${name}\ndefault: allow\nrules:\n  - { id: no-${word}, at: input, when: 'text.contains("${word}")', verdict: deny }\n  - { id: idle, at: output, when: 'text.contains("zzz")', verdict: warn }\n`,
  );
  writeFileSync(join(folder, name, 'cases.yaml'), `cases:\n${cases}`);
}
const RED =
  '  - { name: red is denied, at: input, text: "red <&\\" blue", expect: { decision: deny, rule: no-red, hits: [no-red] } }\n';
const BLUE = '  - { name: blue is denied, at: input, text: blue, expect: { decision: deny, hits: [no-blue] } }\n';

describe('tollgate test', () => {
  it('judges the cases of each bundle by that bundle, and counts for each rule where it stands', () => {
    bundle('one', 'red', RED);
    bundle('two', 'blue', BLUE);
    const report = testPolicies(policyFiles(folder), false);
    expect(report.results.map((r) => [r.name, r.failures])).toEqual([
      ['red is denied', []],
      ['blue is denied', []],
    ]);
    expect(report.rules.map((r) => [r.rule, r.line, r.cases, r.decided])).toEqual([
      ['one/no-red', 5, 1, 1],
      ['one/idle', 6, 0, 0],
      ['two/no-blue', 5, 1, 1],
      ['two/idle', 6, 0, 0],
    ]);
  });

  it('together: by all of them', () => {
    bundle('one', 'red', RED);
    bundle('two', 'blue', BLUE);
    const [red] = testPolicies(policyFiles(folder), true).results;
    expect(red?.failures.join()).toContain('two/no-blue');
  });

  it('as JUnit: failures and mistakes are told, names are escaped', () => {
    bundle(
      'one',
      'red',
      RED.replace('decision: deny', 'decision: warn')
        .replace('red is denied', 'a <b> & \\"c\\"')
        .replace('name: a', 'name: "a')
        .replace('c\\"', 'c\\""'),
    );
    bundle('two', 'blue', BLUE.replace('decision', 'decizion'));
    const xml = junitXml(testPolicies(policyFiles(folder), false));
    expect(xml).toContain('<testsuites name="tollgate" tests="3" failures="1" errors="2">');
    expect(xml).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(xml).toContain('<failure message="decision is `&quot;deny&quot;`, expected `&quot;warn&quot;`"/>');
    expect(xml).toMatch(/<error message="[^"]*decizion/);
    expect(xml.match(/<testcase/g)).toHaveLength(3);
  });
});

describe('what a bundle extends', () => {
  it('judges its cases with it, and is itself tested where it is kept', () => {
    bundle('one', 'red', RED);
    mkdirSync(join(folder, 'two'));
    writeFileSync(
      join(folder, 'two', 'policy.yaml'),
      'policy: tollgate/v1\nname: two\ndefault: allow\nextends: ../one\nrules: [{ id: no-blue, at: input, when: text.contains("blue"), verdict: deny }]\n',
    );
    writeFileSync(
      join(folder, 'two', 'cases.yaml'),
      'cases:\n  - { name: red and blue, at: input, text: red blue, expect: { decision: deny, hits: [one/no-red, no-blue] } }\n',
    );
    const report = testPolicies(policyFiles(folder), false);
    expect(report.results.flatMap((r) => r.failures)).toEqual([]);
    expect(report.rules.map((r) => [r.rule, r.cases])).toEqual([
      ['one/no-red', 1],
      ['one/idle', 0],
      ['two/no-blue', 1],
    ]);
  });

  it('is a mistake with its place where it is not there', () => {
    bundle('one', 'red', RED);
    const file = join(folder, 'one', 'policy.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('default: allow\n', 'default: allow\nextends: ../base\n'));
    expect(() => testPolicies(policyFiles(folder), false)).toThrow(
      `${file}:4:10: there is no \`../base\` (looked for ${join(folder, 'base')}); check the path, it is relative to this file`,
    );
  });
});
