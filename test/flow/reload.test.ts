import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import { type Running, startGateway } from '../../gateway/main.ts';
import { writeConfig } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let upstream: TestUpstream;
let running: Running;
let folder: string;
let lines: { level: string; message: string; fields: unknown }[];

afterEach(async () => {
  await running.stop();
  await upstream.close();
  rmSync(folder, { recursive: true, force: true });
});

const deny = (word: string): string => `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-${word}
    at: input
    when: text.contains("${word}")
    verdict: deny
    reason: forbidden_${word}
`;

async function open(policy: string, watch: { restMs?: number; pollMs?: number } = {}): Promise<void> {
  lines = [];
  upstream = await startUpstream((_request, response) => json(response, 200, completion({ content: 'ok' })));
  const file = writeConfig({ policy, upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } } });
  const config = loadConfig(file, readFileSync(file, 'utf8'), process.env);
  folder = config.folder;
  const said =
    (level: string) =>
    (fields: unknown, message: string): void =>
      void lines.push({ level, message, fields });
  running = await startGateway(config, {
    log: { info: said('info'), warn: said('warn'), error: said('error') },
    watch,
  });
}

const policyFile = (): string => join(folder, 'policies', 'test', 'policy.yaml');

async function status(content: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${running.data.port}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer own' },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }] }),
  });
  await response.text();
  return response.status;
}

async function counted(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${running.office.port}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? 0,
  );
}

const REFUSED = 'tollgate_reloads_total{what="policy",result="failed"}';
const refusals = () => lines.filter((l) => l.message.includes('the reload was refused'));

describe('rules change while the gate runs', () => {
  it('an edited rule judges the next call; a broken file leaves the old rules whole; mending it applies', async () => {
    await open(deny('red'));
    expect([await status('red'), await status('blue')]).toEqual([403, 200]);

    writeFileSync(policyFile(), deny('blue'));
    await expect.poll(() => status('blue')).toBe(403);
    expect(await status('red')).toBe(200);

    writeFileSync(policyFile(), deny('green').replace('verdict: deny', 'verdikt: deny'));
    await expect.poll(() => counted(REFUSED)).toBe(1);
    expect([await status('blue'), await status('green')]).toEqual([403, 200]);
    expect(refusals()).toHaveLength(1);
    expect(JSON.stringify(refusals()[0]?.fields)).toMatch(/policy\.yaml:\d+:\d+.*verdikt/);

    // the same mistake again is counted and not said twice
    writeFileSync(policyFile(), `${deny('green').replace('verdict: deny', 'verdikt: deny')}# again\n`);
    await expect.poll(() => counted(REFUSED)).toBe(2);
    expect(refusals()).toHaveLength(1);

    writeFileSync(policyFile(), deny('green'));
    await expect.poll(() => status('green')).toBe(403);
    expect(await status('blue')).toBe(200);
  });

  it('a bundle that is added, and one that vanishes with all rules, which is no reason to go on without', async () => {
    await open(deny('red'));
    mkdirSync(join(folder, 'policies', 'more'));
    writeFileSync(join(folder, 'policies', 'more', 'policy.yaml'), deny('blue').replace('name: test', 'name: more'));
    await expect.poll(() => status('blue')).toBe(403);
    expect(await status('red')).toBe(403);
    rmSync(join(folder, 'policies'), { recursive: true });
    await expect.poll(() => counted(REFUSED)).toBeGreaterThan(0);
    expect([await status('red'), await status('blue')]).toEqual([403, 403]);
  });

  it('what a policy extends elsewhere: a changed pin or text is noticed there, and nothing but what was pinned gets in', async () => {
    await open(deny('red'));
    const base = join(folder, 'shared', 'org', 'policy.yaml');
    const use = (text: string): void =>
      writeFileSync(
        policyFile(),
        `policy: tollgate/v1\nname: test\ndefault: allow\nextends: { path: ../../shared/org, sha256: ${createHash('sha256').update(text).digest('hex')} }\n`,
      );
    const [blue, green] = [deny('blue'), deny('green')].map((text) => text.replace('name: test', 'name: org')) as [
      string,
      string,
    ];
    use(blue);
    await expect.poll(() => refusals().length).toBe(1);
    expect(refusals()[0]?.fields).toMatchObject({
      kind: 'mistakes in a file',
      error: expect.stringMatching(/policy\.yaml:4:10: there is no `\.\.\/\.\.\/shared\/org`/),
    });
    expect(await status('red')).toBe(403);
    mkdirSync(join(folder, 'shared', 'org'), { recursive: true });
    writeFileSync(base, blue);
    await expect.poll(() => status('blue')).toBe(403);
    expect(await status('red')).toBe(200);
    writeFileSync(base, green);
    await expect.poll(() => refusals().length).toBe(2);
    expect([await status('blue'), await status('green')]).toEqual([403, 200]);
    use(green);
    await expect.poll(() => status('green')).toBe(403);
  });

  it('a file replaced by renaming, noticed by the poll alone', async () => {
    await open(deny('red'), { restMs: 20, pollMs: 50 });
    writeFileSync(join(folder, 'new'), deny('blue'));
    renameSync(join(folder, 'new'), policyFile());
    await expect.poll(() => status('blue')).toBe(403);
  });

  it('twenty saves in a row are one reload, and none is answered by half a file', async () => {
    await open(deny('red'));
    for (let i = 0; i < 20; i += 1) {
      writeFileSync(policyFile(), deny('blue').slice(0, 20 + i * 5));
      await new Promise((r) => setTimeout(r, 5));
    }
    writeFileSync(policyFile(), deny('blue'));
    await expect.poll(() => status('blue')).toBe(403);
    expect(refusals()).toEqual([]);
    expect(lines.filter((l) => l.message === 'rules and prices were reloaded')).toHaveLength(1);
  });
});
