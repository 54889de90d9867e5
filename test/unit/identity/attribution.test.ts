import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute, safeId } from '../../../gateway/identity/attribution.ts';
import type { BodyNames, Caller } from '../../../gateway/ports/identity.ts';

const LOCAL: Caller = { tenant: { id: 'local', source: 'open access', assurance: 'keyed' }, ownsGatewayKey: false };
const KEYED: Caller = {
  tenant: { id: 'acme', source: 'key', assurance: 'keyed' },
  human: { id: 'ada@acme.test', source: 'key', assurance: 'keyed' },
  agent: { id: 'support', source: 'key', assurance: 'keyed' },
  key: 'k1',
  ownsGatewayKey: true,
};
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const body = (asserted: Record<string, string> = {}, inferred?: string): BodyNames => ({
  asserted,
  infer: () => inferred,
  freshRun: () => 'fresh',
});
const who = (
  headers: Record<string, string>,
  options: { caller?: Caller; path?: { run?: string; agent?: string }; body?: BodyNames } = {},
) =>
  attribute(
    options.caller ?? LOCAL,
    { method: 'POST', url: '/', headers, ip: '127.0.0.1' },
    options.path ?? {},
    options.body ?? body(),
  );

describe('the run', () => {
  it.each([
    ['x-tollgate-run', 'r1'],
    ['x-claude-code-session-id', '0c9f2a34-9a7d-4a2e-8d07-2f1a1f7f6f10'],
    ['session-id', 'codex-1'],
    ['session_id', 'codex-old'],
    ['x-client-session-id', 'copilot-1'],
    ['x-opencode-session', 'oc-1'],
    ['x-kilocode-taskid', 'kilo-1'],
    ['x-mux-workspace-id', 'mux-1'],
    ['x-coder-chat-id', 'coder-1'],
    ['helicone-session-id', 'h-1'],
    ['x-portkey-trace-id', 'p-1'],
    ['x-litellm-trace-id', 'l-1'],
    ['x-session-id', 's-1'],
    ['x-run-id', 'x-1'],
  ])('is read from `%s`', (name, value) => {
    expect(who({ [name]: value }).run).toEqual({ id: value, source: `header:${name}`, assurance: 'asserted' });
  });

  it('is read from Codex’s turn metadata, and a broken one names nothing', () => {
    expect(who({ 'x-codex-turn-metadata': '{"session_id":"c9","turn_id":"t"}' }).run.id).toBe('c9');
    expect(who({ 'x-codex-turn-metadata': '{"session_id":' }).run.source).toBe('new');
    expect(who({ 'x-codex-turn-metadata': 'null' }).run.source).toBe('new');
  });

  it('is read from traceparent and baggage', () => {
    expect(who({ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }).run).toEqual({
      id: TRACE,
      source: 'header:traceparent',
      assurance: 'asserted',
    });
    expect(who({ traceparent: 'garbage' }).run.source).toBe('new');
    expect(who({ baggage: 'a=b, agent.run.id=run-7;p=1' }).run.id).toBe('run-7');
  });

  it('falls from path to header to trace to body to conversation to a new one', () => {
    const headers = {
      'x-tollgate-run': 'h',
      'x-claude-code-session-id': 'cc',
      traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
    };
    const names = body({ session: 'body' }, 'known');
    expect(who(headers, { path: { run: 'p' }, body: names }).run.id).toBe('p');
    expect(who(headers, { body: names }).run.id).toBe('h');
    expect(who({ traceparent: headers.traceparent }, { body: names }).run.id).toBe(TRACE);
    expect(who({}, { body: names }).run).toMatchObject({ id: 'body', source: 'body:session' });
    expect(who({}, { body: body({}, 'known') }).run).toEqual({
      id: 'known',
      source: 'conversation',
      assurance: 'inferred',
    });
    expect(who({}).run).toEqual({ id: 'fresh', source: 'new', assurance: 'inferred' });
  });

  it('keeps the loser where path and header disagree', () => {
    expect(who({ 'x-tollgate-run': 'b' }, { path: { run: 'a' } }).conflicts).toEqual(['run=b (header:x-tollgate-run)']);
    // a client's own session below an explicit label is no contradiction
    expect(who({ 'x-claude-code-session-id': 'c' }, { path: { run: 'a' } }).conflicts).toEqual([]);
  });
});

describe('agent and human', () => {
  it('come from the key, whatever the request says', () => {
    const principal = who(
      { 'x-tollgate-human': 'eve', 'user-agent': 'claude-cli/2.1' },
      { caller: KEYED, body: body({ user: 'mallory' }) },
    );
    expect(principal.agent).toEqual(KEYED.agent);
    expect(principal.human).toEqual(KEYED.human);
    expect(principal.tenant).toEqual(KEYED.tenant);
  });

  it('a request that names another agent than its key is refused', () => {
    expect(() => who({ 'x-tollgate-agent': 'other' }, { caller: KEYED })).toThrow(
      expect.objectContaining({ code: 'TG_BAD_KEY' }),
    );
    expect(who({ 'x-tollgate-agent': 'support' }, { caller: KEYED }).agent.id).toBe('support');
  });

  it('fall back to path, header and user agent family', () => {
    expect(who({ 'x-tollgate-agent': 'h' }, { path: { agent: 'p' } }).agent.id).toBe('p');
    expect(who({ 'user-agent': 'claude-cli/2.1.86 (external, cli)' }).agent).toMatchObject({
      id: 'claude-code',
      assurance: 'asserted',
    });
    expect(who({ 'user-agent': 'codex_cli_rs/0.150' }).agent.id).toBe('codex');
    expect(who({}).agent).toEqual({ id: 'unnamed', source: 'none', assurance: 'inferred' });
    expect(who({}, { body: body({ account: 'acc', user: 'u' }) }).human).toMatchObject({
      id: 'acc',
      source: 'body:account',
    });
  });
});

describe('what a client says never gives it more', () => {
  it('no header changes tenant, key or the assurance of a keyed name', () => {
    const names = fc.constantFrom(
      'x-tollgate-run',
      'x-tollgate-human',
      'x-tollgate-tenant',
      'x-claude-code-session-id',
      'traceparent',
      'baggage',
      'user-agent',
    );
    fc.assert(
      fc.property(
        fc.dictionary(names, fc.string()),
        fc.dictionary(fc.constantFrom('user', 'session', 'account'), fc.string()),
        (headers, asserted) => {
          const principal = who(headers as Record<string, string>, {
            caller: KEYED,
            body: body(asserted as Record<string, string>),
          });
          expect(principal.tenant).toEqual(KEYED.tenant);
          expect(principal.key).toBe('k1');
          expect(principal.agent.assurance).toBe('keyed');
          expect(['asserted', 'inferred']).toContain(principal.run.assurance);
        },
      ),
    );
  });

  it('an id that is long or odd is hashed before it reaches a log or a path', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 300 }), (raw) => {
        const id = safeId(raw);
        expect(id).toMatch(/^[A-Za-z0-9._:-]{1,128}$/);
        expect(safeId(raw)).toBe(id);
      }),
    );
    expect(safeId('a\nb')).toMatch(/^h-[0-9a-f]{24}$/);
  });
});

describe('tags', () => {
  const TAGGED: Caller = { ...KEYED, tags: ['team=red', 'pilot'] };

  it('come from the key, then from the caller, each once', () => {
    const said = { 'x-tollgate-tags': 'feature=search, pilot, team=red, late' };
    expect(who(said, { caller: TAGGED }).tags).toEqual(['team=red', 'pilot', 'feature=search', 'late']);
    expect(who(said).tags).toEqual(['feature=search', 'pilot', 'team=red', 'late']);
    expect(who({}, { caller: TAGGED }).tags).toEqual(['team=red', 'pilot']);
    expect(who({}).tags).toBeUndefined();
  });

  it('of the names that the key has are not the caller’s to say, and the receipt tells that it tried', () => {
    const { tags, conflicts } = who({ 'x-tollgate-tags': 'team=blue,pilot=no,teams=blue' }, { caller: TAGGED });
    expect(tags).toEqual(['team=red', 'pilot', 'teams=blue']);
    expect(conflicts).toEqual(['tag=team=blue (header:x-tollgate-tags)', 'tag=pilot=no (header:x-tollgate-tags)']);
  });
});
