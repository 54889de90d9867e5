import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { remotesIn } from '../../../gateway/cli/known-remotes.ts';
import { configProblems, judgeOf, remotesOf } from '../../../gateway/compose.ts';
import { loadConfig } from '../../../gateway/config/load.ts';
import { checkPolicy } from '../../../gateway/policy/check-policy.ts';
import { readPolicy } from '../../../gateway/policy/compile-policy.ts';
import type { KnownDetector } from '../../../gateway/policy/known-detectors.ts';
import { snapshot } from './_judging.ts';

const REMOTE: readonly KnownDetector[] = [{ name: 'pres', kinds: ['pres.person'], remote: true }];
const policy = (fields: string) => [
  {
    path: 'p/policy.yaml',
    text: `policy: tollgate/v1\nname: p\ndefault: allow\nrules:\n  - { id: r, at: pre_tool_call, verdict: deny, ${fields} }\n`,
  },
];
const detectorsOf = (fields: string): readonly string[] =>
  judgeOf(policy(fields), REMOTE).relevance({ point: 'pre_tool_call', agent: 'a', tenant: 't' }).detectors;
const found = (kind: string, status: 'found' | 'unknown' = 'found') =>
  snapshot({ findings: [{ kind, start: 0, end: 1, confidence: 1, at: '/command', status }] });

describe('a remote detector in a rule', () => {
  it('is asked where `detect` names it, and not because a condition looks at findings', () => {
    expect(detectorsOf('detect: pres')).toEqual(['pres']);
    expect(detectorsOf('detect: pres.person')).toEqual(['pres']);
    expect(detectorsOf('when: found("secret.*")')).not.toContain('pres');
    expect(detectorsOf('detect: [pres, secrets], when: found("pres.person")')).toEqual(['pres', 'secrets']);
  });

  it('that a condition counts on without having it asked is a mistake with its place', () => {
    const { problems } = readPolicy(policy(`when: 'found("pres.person")'`), REMOTE);
    expect(problems.map((p) => `${p.line}:${p.column} ${p.message}`)).toEqual([
      '5:11 a condition of this rule looks for `pres.…`, which is asked over the network: name it in `detect`, so that it is asked',
    ]);
  });

  it('by its name covers kinds nobody listed; without an answer it counts as found, for its own rules only', () => {
    const whole = judgeOf(policy('detect: pres'), REMOTE);
    expect(whole.evaluate(found('pres.brand_new')).decision).toBe('deny');
    expect(whole.evaluate(found('secret.jwt')).decision).toBe('allow');
    expect(whole.evaluate(found('pres.*', 'unknown')).decision).toBe('deny');
    const person = judgeOf(policy('detect: pres.person'), REMOTE);
    expect(person.evaluate(found('pres.brand_new')).decision).toBe('allow');
    expect(person.evaluate(found('pres.*', 'unknown')).decision).toBe('deny');
    expect(judgeOf(policy('detect: secrets'), REMOTE).evaluate(found('pres.*', 'unknown')).decision).toBe('allow');
  });
});

describe('a remote detector in the configuration', () => {
  const load = (remote: string) =>
    loadConfig(
      't.yaml',
      `upstreams: { a: { base_url: "http://a.test", dialects: [openai-chat] } }\ndetectors: { remote: ${remote} }\n`,
      {},
    );

  it('is what `tollgate check` on a folder knows as well, whatever else stands there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-remote-'));
    try {
      const file = join(folder, 'tollgate.yaml');
      writeFileSync(
        file,
        `limit: "\${NOT_SET}"\ndetectors: { remote: { pres: { url: "\${X}", kinds: [PERSON] }, odd: 3 } }\n`,
      );
      const remotes = remotesIn(file);
      expect(remotes[0]).toEqual({ name: 'pres', kinds: ['pres.person'], remote: true });
      expect(checkPolicy(policy('detect: pres.person'), remotes).problems).toEqual([]);
      expect(checkPolicy(policy('detect: pres.persn'), remotes).problems[0]?.message).toBe(
        'unknown kind of finding `pres.persn`; did you mean `pres.person`?',
      );
      expect(remotesIn(join(folder, 'nowhere.yaml'))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has kinds that rules can be checked against, and a name of its own', () => {
    const config = load(
      '{ pii: { url: "http://p.test", shape: tollgate }, p: { url: "http://p.test/analyze", shape: presidio } }',
    );
    expect(remotesOf(config).find((r) => r.name === 'p')?.kinds).toContain('p.us_ssn');
    expect(configProblems(config, { providers: ['a'] } as unknown as Parameters<typeof configProblems>[1])).toEqual([
      'remote detector `pii`: the gate has a detector of that name; give it another one',
      'remote detector `pii`: `kinds` is missing; name what it can report, so that rules can be checked',
    ]);
  });

  it.each([
    ['{ p: { url: "ftp://p.test", shape: presidio } }', /2:34: an http or https URL/],
    ['{ p: { url: "http://p.test", shape: azure } }', /2:\d+: .*"presidio"\|"tollgate"/],
    ['{ P: { url: "http://p.test", shape: presidio } }', /2:24: a detector is named in lower case.*, not `P`/],
    [
      '{ p: { url: "http://p.test", shape: presidio, timeout_m: 3 } }',
      /unknown key `timeout_m`; did you mean `timeout_ms`/,
    ],
  ])('is refused with its place: %s', (remote, message) => {
    expect(() => load(remote)).toThrow(message);
  });
});
