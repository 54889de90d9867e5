// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${NAME}` is the configuration's own syntax
import { describe, expect, it } from 'vitest';
import { ConfigFault, loadConfig } from '../../../gateway/config/load.ts';
import { isLoopback } from '../../../gateway/config/loopback.ts';

const OK = 'upstreams:\n  openai: { base_url: https://api.openai.com, dialects: [openai-chat] }\n';
const load = (text: string, env: Record<string, string> = {}) => loadConfig('/etc/tg/tollgate.yaml', text, env);

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigFault) return error.problems.map((p) => `${p.line}:${p.column} ${p.message}`);
    throw error;
  }
  return [];
}

describe('a configuration', () => {
  it('fills in what is not said, and makes paths absolute', () => {
    const config = load(`${OK}policies: ./p\n`);
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 8787 });
    expect(config.office).toMatchObject({ host: '127.0.0.1', port: 8788 });
    expect(config.access).toBe('open');
    expect(config.state).toBe('/etc/tg/data');
    expect(config.policies).toBe('/etc/tg/p');
    expect(config.limits.on_abort).toBe('drain');
  });

  it('does not open the office to a network unless that is said', () => {
    expect(problemsOf(`${OK}office: { host: 0.0.0.0 }\n`).join()).toContain('3:17 the office has no login');
    expect(problemsOf(`${OK}office: { host: 0.0.0.0, unauthenticated: true }\n`)).toEqual([]);
  });

  it('reads the pinned example', () => {
    const config = load(
      `listen:   { host: 127.0.0.1, port: 8787 }
office:   { host: 127.0.0.1, port: 8788 }
upstreams:
  openai:    { base_url: https://api.openai.com, dialects: [openai-chat], credential: { bearer: "\${OPENAI_API_KEY}" } }
  anthropic: { base_url: https://api.anthropic.com, dialects: [anthropic-messages] }
access: open
state: ./data
policies: ./policies/starter
pricing: ./pricing
budgets:
  - { scope: run, limit_usd: 5 }
  - { scope: agent, window: day, limit_usd: 100 }
`,
      { OPENAI_API_KEY: 'sk-1' },
    );
    expect(config.upstreams['openai']?.credential).toEqual({ bearer: 'sk-1' });
    expect(config.budgets).toEqual([
      { scope: 'run', limit_usd: 5_000_000_000n },
      { scope: 'agent', window: 'day', limit_usd: 100_000_000_000n },
    ]);
  });

  it.each([
    ['a typo in a key', `${OK}lisen: { port: 1 }\n`, ['3:1 unknown key `lisen`; did you mean `listen`?']],
    [
      'a typo deep inside',
      'upstreams:\n  openai:\n    base_url: https://x.test\n    dialects: [openai-chat]\n    credentials: {}\n',
      ['5:5 unknown key `credentials`; did you mean `credential`?'],
    ],
    [
      'a limit below nothing',
      `${OK}budgets:\n  - { scope: run, limit_usd: 0 }\n`,
      ['4:30 a limit is more than zero in `budgets.0.limit_usd`'],
    ],
    ['a scope that is none', `${OK}budgets:\n  - { scope: team, limit_usd: 1 }\n`, ['4:14 ']],
    [
      'a pattern without quotes',
      `${OK}budgets:\n  - { scope: model, match: gpt-5*, limit_usd: 1 }\n`,
      ['4:33 `gpt-5*` holds a `*` or `?`; put it in quotes if you mean a pattern, else correct the name'],
    ],
    [
      'a wildcard inside a word',
      `${OK}budgets:\n  - { scope: model, match: "gp*t", limit_usd: 1 }\n`,
      ['4:28 a `match` may have `*` and `?` only at an end or beside a separator such as `_` or `-`'],
    ],
    [
      'an unset variable',
      'upstreams:\n  openai: { base_url: "https://x.test", dialects: [a], credential: { bearer: "${NOPE}" } }\n',
      ['2:78 environment variable `NOPE` is not set; set it or take `${NOPE}` out'],
    ],
    ['no upstream', 'upstreams: {}\n', ['1:12 there is no upstream; name at least one']],
    [
      'a reserved name',
      'upstreams:\n  run: { base_url: "https://x.test", dialects: [a] }\n',
      ['2:3 an upstream cannot be called `run`: that path has a meaning of its own'],
    ],
    [
      'a URL that is none',
      'upstreams:\n  openai: { base_url: api.openai.com, dialects: [a] }\n',
      ['2:23 an http or https URL'],
    ],
    ['broken YAML', 'upstreams: [\n', ['2:1 ']],
    ['the same key twice', 'access: open\naccess: keys\n', ['2:1 ']],
  ])('refuses %s with its place', (_name, text, expected) => {
    const found = problemsOf(text);
    expect(found).toHaveLength(expected.length);
    for (const [i, start] of expected.entries()) expect(found[i]).toContain(start);
  });

  it('names every mistake at once', () => {
    expect(
      problemsOf('acess: open\nlisten: { prot: 1 }\nupstreams: { a: { base_url: nope, dialects: [] } }\n'),
    ).toHaveLength(4);
  });

  it('serves open access on loopback only', () => {
    expect(problemsOf(`${OK}listen: { host: 0.0.0.0 }\n`)[0]).toContain(
      '`access: open` serves the local developer only',
    );
    expect(load(`${OK}access: keys\nlisten: { host: 0.0.0.0 }\n`).listen.host).toBe('0.0.0.0');
    expect(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '10.0.0.1', '127.example.com', ''].some(isLoopback)).toBe(false);
  });

  it('never repeats a credential in a message', () => {
    const text =
      'upstreams:\n  openai: { base_url: "https://x.test", dialects: 7, credential: { bearer: "${KEY}", extra: "${KEY}" } }\n';
    expect(problemsOf(text, { KEY: 'sk-very-secret' }).join()).not.toContain('sk-very-secret');
  });
});
