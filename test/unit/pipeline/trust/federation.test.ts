import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochMs } from '../../../../gateway/domain/scalars.ts';
import { createSealer } from '../../../../gateway/identity/sealed-handle.ts';
import { openCursor, sealCursor } from '../../../../gateway/pipeline/trust/federated-cursor.ts';
import {
  type FederatedItem,
  federateItem,
  type ListItem,
  withoutCollisions,
} from '../../../../gateway/pipeline/trust/federated-items.ts';
import { createNames, type FederatedServer, nameProblems } from '../../../../gateway/pipeline/trust/federated-names.ts';

const server = (name: string, more: Partial<FederatedServer> = {}): FederatedServer => ({
  server: name,
  aliases: {},
  resources: [],
  federated: true,
  ...more,
});

describe('exposed names', () => {
  const names = createNames([
    server('git', {
      aliases: {
        'repo.push': 'git_push',
        'a tool with a very long name that no provider of models would ever take as it is': 'long',
      },
    }),
    server('git-hub'),
    server('private', { federated: false }),
  ]);

  it.each([
    ['git', 'pull', 'git__pull'],
    ['git', '__init__', 'git____init__'],
    ['git', 'a__b', 'git__a__b'],
    ['git-hub', 'search', 'git-hub__search'],
    ['git', 'repo.push', 'git_push'],
  ])('%s %s is %s, and back', (s, name, exposed) => {
    expect(names.expose(s, name)).toBe(exposed);
    expect(names.resolve(exposed)).toEqual({ server: s, name });
  });

  it.each([
    ['a dot', 'git', 'repo.pull'],
    ['too long', 'git', 'x'.repeat(60)],
    ['no ASCII', 'git', 'größe'],
    ['a space', 'git', 'a b'],
    ['a server that is not federated', 'private', 'x'],
    ['a server nobody configured', 'other', 'x'],
  ])('what does not fit is hidden, never changed: %s', (_, s, name) => {
    expect(names.expose(s, name)).toBeUndefined();
    expect(names.resolve(`${s}__${name}`)).toBeUndefined();
  });

  it('an aliased tool has one name only', () => {
    expect(createNames([server('git', { aliases: { push: 'p' } })]).resolve('git__push')).toBeUndefined();
  });

  it.each(['git', 'git__', '__x', '', 'pull', 'git_pull', 'GIT__pull', 'git__a b'])('`%s` is nobody’s', (exposed) => {
    expect(names.resolve(exposed)).toBeUndefined();
  });

  it('every exposed name fits a provider and leads back to exactly one tool', () => {
    const key = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?$/);
    const toolName = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
      fc.stringMatching(/^_{1,3}[a-z]{0,3}_{0,3}$/).filter((n) => n !== ''),
      fc.string(),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { minLength: 1, maxLength: 4 }),
        fc.array(toolName, { maxLength: 8 }),
        (keys, toolNames) => {
          const all = createNames(keys.map((k) => server(k)));
          const seen = new Map<string, string>();
          for (const k of keys)
            for (const name of new Set(toolNames)) {
              const exposed = all.expose(k, name);
              if (exposed === undefined) continue;
              expect(exposed).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
              if (name !== '') expect(all.resolve(exposed)).toEqual({ server: k, name });
              expect(seen.get(exposed) ?? `${k} ${name}`).toBe(`${k} ${name}`);
              seen.set(exposed, `${k} ${name}`);
            }
        },
      ),
    );
  });
});

describe('resources', () => {
  const names = createNames([
    server('fs', { resources: ['file:///data', 'ui://fs/'] }),
    server('docs', { resources: ['https://docs.example.com/', 'file:///data/docs'] }),
    server('private', { federated: false, resources: ['secret://'] }),
  ]);

  it.each([
    ['file:///data', 'fs'],
    ['file:///data/a.txt', 'fs'],
    ['file:///data?x', 'fs'],
    ['file:///database', undefined],
    ['file:///data/docs/a', 'ambiguous'],
    ['https://docs.example.com/a', 'docs'],
    ['https://docs.example.com.evil.example/a', undefined],
    ['ui://fs/a', 'fs'],
    ['secret://a', undefined],
    ['file:///data/../etc/passwd', undefined],
    ['file:///data/%2e%2e/etc/passwd', undefined],
    ['file:///data/a%2F..%2Fb', undefined],
    ['file:///data/a%252F%252e.%2Fb', undefined],
    ['file:///data/..', undefined],
    ['file:///data/a..b', 'fs'],
    ['FILE:///data/a', undefined],
    ['mailto:x', undefined],
  ])('%s belongs to %s', (uri, owner) => {
    expect(names.ownerOf(uri)).toBe(owner);
  });
});

describe('what keeps the gate from starting', () => {
  const messages = (...servers: FederatedServer[]): string[] =>
    nameProblems(servers).map((p) => `${p.path.join('.')}: ${p.message}`);

  it('two aliases that are one, or look alike', () => {
    expect(messages(server('a', { aliases: { x: 'read' } }), server('b', { aliases: { y: 'Read' } }))).toEqual([
      'b.aliases.y: the alias `Read` equals or can be taken for `read` of the server `a`; choose another',
    ]);
    expect(messages(server('a', { aliases: { x: 'modern', y: 'modem' } }))).toHaveLength(1);
  });

  it('an alias that reads as another server’s tool', () => {
    expect(messages(server('a', { aliases: { x: 'b__read' } }), server('b'))).toEqual([
      'a.aliases.x: the alias `b__read` reads as a tool of the server `b`; choose one that does not begin with `b__`',
    ]);
    expect(messages(server('a', { aliases: { x: 'a__y' } }))).toHaveLength(1);
    expect(messages(server('a', { aliases: { x: 'c__read' } }), server('b'))).toEqual([]);
  });

  it('one prefix with two owners', () => {
    expect(messages(server('a', { resources: ['x://'] }), server('b', { resources: ['x://'] }))).toEqual([
      'b.resources.0: `x://` is owned by the server `a` already; a resource has one owner',
    ]);
  });

  it('nothing of a server that is not federated', () => {
    expect(
      messages(server('a', { aliases: { x: 'read' } }), server('b', { federated: false, aliases: { y: 'read' } })),
    ).toEqual([]);
  });
});

describe('items on their way to the federated endpoint', () => {
  const names = createNames([server('app', { resources: ['ui://app/'] }), server('git')]);
  const own = new Set(['open', 'close', 'a.b']);
  const item = (text: string, name = 'open', kind: ListItem['kind'] = 'tool'): ListItem => ({
    server: 'app',
    kind,
    name,
    text,
  });
  const federated = (text: string, name?: string, kind?: ListItem['kind']): FederatedItem =>
    federateItem(item(text, name, kind), names, own);

  it('are renamed, and every other byte stays', () => {
    expect(federated('{ "name" : "open",  "inputSchema":{"maximum":12345678901234567890}, "x":1.0 }')).toMatchObject({
      exposed: 'app__open',
      text: '{ "name" : "app__open",  "inputSchema":{"maximum":12345678901234567890}, "x":1.0 }',
    });
  });

  it('their references to tools of the same server are renamed with them', () => {
    const text =
      '{"name":"open","_meta":{"vendor/tool":"close","ui":{"tools":["open","close"],"resourceUri":"ui://app/a","note":"close"}}}';
    expect(federated(text)).toMatchObject({
      text: '{"name":"app__open","_meta":{"vendor/tool":"app__close","ui":{"tools":["app__open","app__close"],"resourceUri":"ui://app/a","note":"close"}}}',
    });
  });

  it.each([
    ['a reference to a tool without a name here', '{"name":"open","_meta":{"tool":"a.b"}}', 'refers to the tool `a.b`'],
    ['a reference to a tool nobody offers', '{"name":"open","_meta":{"tool":"gone"}}', 'refers to the tool `gone`'],
    [
      'a view that another server owns',
      '{"name":"open","_meta":{"ui":{"resourceUri":"ui://other/a"}}}',
      'does not own',
    ],
  ])('%s keeps the item on its own endpoint', (_, text, why) => {
    expect(federated(text)).toMatchObject({ hidden: expect.stringContaining(why) });
  });

  it('a name that does not fit is hidden with what to do', () => {
    expect(federated('{"name":"a.b"}', 'a.b')).toMatchObject({ hidden: expect.stringMatching(/give it an alias$/) });
  });

  it('a resource keeps its URI and needs its owner', () => {
    expect(federated('{"uri":"ui://app/x"}', 'ui://app/x', 'resource')).toMatchObject({
      exposed: 'ui://app/x',
      text: '{"uri":"ui://app/x"}',
    });
    expect(federated('{"uriTemplate":"ui://app/{id}"}', 'ui://app/{id}', 'resource')).toMatchObject({
      exposed: 'ui://app/{id}',
    });
    expect(federated('{"uri":"file:///x"}', 'file:///x', 'resource')).toMatchObject({
      hidden: expect.stringContaining('no server owns `file:///x`'),
    });
  });

  it('of two with one name the first stays and the second is reported', () => {
    const aliased = createNames([server('app', { aliases: { open: 'x' } }), server('git', { aliases: { pull: 'x' } })]);
    const both = [item('{"name":"open"}'), { ...item('{"name":"pull"}', 'pull'), server: 'git' }].map((i) =>
      federateItem(i, aliased, own),
    );
    expect(withoutCollisions(both)).toMatchObject([{ exposed: 'x' }, { hidden: '`x` is taken by the server `app`' }]);
  });
});

describe('cursors over several servers', () => {
  const sealer = createSealer([randomBytes(32)]);
  const until = epochMs(2_000);
  const now = epochMs(1_000);
  const seal = (next: [string, string][], principal = 'mo', method = 'tools/list'): string | undefined =>
    sealCursor(sealer, principal, method, new Map(next), until);

  it('go back to each server with its own cursor, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.stringMatching(/^[a-z0-9-]{1,8}$/),
          fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed()),
          { minKeys: 1 },
        ),
        (cursors) => {
          const token = seal(Object.entries(cursors)) as string;
          expect(Object.fromEntries(openCursor(sealer, 'mo', 'tools/list', token, now) ?? [])).toEqual({ ...cursors });
        },
      ),
    );
  });

  it('end where no server has more', () => {
    expect(seal([])).toBeUndefined();
  });

  it('are nobody else’s, for no other list, and not for ever', () => {
    const token = seal([['git', 'c']]) as string;
    expect(openCursor(sealer, 'olga', 'tools/list', token, now)).toBeUndefined();
    expect(openCursor(sealer, 'mo', 'prompts/list', token, now)).toBeUndefined();
    expect(openCursor(sealer, 'mo', 'tools/list', token, epochMs(3_000))).toBeUndefined();
    expect(openCursor(sealer, 'mo', 'tools/list', `${token}x`, now)).toBeUndefined();
    expect(openCursor(sealer, 'mo', 'tools/list', 'c', now)).toBeUndefined();
  });
});
