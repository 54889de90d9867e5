import { hash } from 'node:crypto';
import { Fault } from '../domain/fault.ts';
import type { Assurance, Named, Principal } from '../domain/principal.ts';
import type { Headers } from '../ports/dialect.ts';
import type { Arrival, BodyNames, Caller, PathLabels } from '../ports/identity.ts';
import { headerValue } from './api-key.ts';

/** Client session headers that name a run, strongest first (attribution.md 3 and 4); all asserted. */
const RUN_HEADERS = [
  'x-tollgate-run',
  'x-claude-code-session-id',
  'session-id',
  'session_id',
  'x-client-session-id',
  'x-opencode-session',
  'x-kilocode-taskid',
  'x-mux-workspace-id',
  'x-coder-chat-id',
  'x-session-id',
  'x-session-affinity',
  'x-run-id',
  'helicone-session-id',
  'x-portkey-trace-id',
  'x-litellm-trace-id',
  'x-merge-trace-id',
] as const;
const AGENT_HEADERS = ['x-tollgate-agent', 'x-acp-agent-name', 'helicone-session-name'] as const;
const HUMAN_HEADERS = ['x-tollgate-human', 'helicone-user-id', 'x-litellm-end-user-id'] as const;
const RUN_BODY = ['session', 'prompt_cache_key', 'conversation'] as const;
const HUMAN_BODY = ['account', 'safety_identifier', 'user'] as const;

const SAFE_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;
/** user agents of clients that send nothing else, by their first product token */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^claude-cli\//i, 'claude-code'],
  [/^codex[_a-z-]*\//i, 'codex'],
  [/^opencode\//i, 'opencode'],
  [/^zed\//i, 'zed'],
  [/^roo-?code\//i, 'roo-code'],
  [/^(charm )?crush\//i, 'crush'],
  [/^githubcopilot/i, 'copilot'],
];

/** An id that is safe in logs and paths; anything else is hashed, not trusted (attribution.md 2). */
export function safeId(raw: string): string {
  return SAFE_ID.test(raw) ? raw : `h-${hash('sha256', raw, 'hex').slice(0, 24)}`;
}

const named = (raw: string | undefined, source: string, assurance: Assurance = 'asserted'): Named[] =>
  raw === undefined || raw === '' ? [] : [{ id: safeId(raw), source, assurance }];

function fromHeaders(headers: Headers, names: readonly string[]): Named[] {
  const found: Named[] = [];
  for (const name of names)
    if (headers[name] !== undefined) found.push(...named(headerValue(headers, name), `header:${name}`));
  return found;
}

const fromBody = (asserted: Readonly<Record<string, string>>, names: readonly string[]): Named[] =>
  names.flatMap((name) => named(asserted[name], `body:${name}`));

function codexSession(headers: Headers): Named[] {
  const text = headerValue(headers, 'x-codex-turn-metadata');
  if (text === undefined) return [];
  try {
    const meta: unknown = JSON.parse(text);
    const id = typeof meta === 'object' && meta !== null ? (meta as Record<string, unknown>)['session_id'] : undefined;
    return named(typeof id === 'string' ? id : undefined, 'header:x-codex-turn-metadata');
  } catch {
    // self-reported metadata in another form than we know: it names nothing
    return [];
  }
}

/** The member `key` of a W3C baggage header. */
function baggage(headers: Headers, key: string): string | undefined {
  for (const item of headerValue(headers, 'baggage')?.split(',') ?? []) {
    const [name, value] = (item.split(';')[0] ?? '').split('=', 2);
    if (name?.trim() === key && value !== undefined) return value.trim();
  }
  return undefined;
}

function agentFamily(headers: Headers): Named[] {
  const agent = headerValue(headers, 'user-agent') ?? '';
  const family = FAMILIES.find(([pattern]) => pattern.test(agent));
  return family ? named(family[1], 'header:user-agent') : [];
}

function losers(kind: string, chosen: Named, others: readonly Named[]): string[] {
  return others.filter((o) => o.id !== chosen.id).map((o) => `${kind}=${o.id} (${o.source})`);
}

/** Names the principal of a call; first hit in the order of attribution.md 2 wins, what disagrees is kept as a conflict. */
export function attribute(caller: Caller, arrival: Arrival, path: PathLabels, body: BodyNames): Principal {
  const { headers } = arrival;
  const asked = headerValue(headers, 'x-tollgate-agent');
  if (caller.agent && asked !== undefined && safeId(asked) !== caller.agent.id)
    throw new Fault(
      'TG_BAD_KEY',
      `header \`x-tollgate-agent\` does not match the agent of gateway key \`${caller.key}\`; leave it out`,
    );

  const agents = [
    ...(caller.agent ? [caller.agent] : []),
    ...named(path.agent, 'path'),
    ...fromHeaders(headers, AGENT_HEADERS),
    ...agentFamily(headers),
  ];
  const humans = [
    ...(caller.human ? [caller.human] : []),
    ...fromHeaders(headers, HUMAN_HEADERS.slice(0, 1)),
    ...fromBody(body.asserted, HUMAN_BODY.slice(0, 1)),
    ...named(baggage(headers, 'enduser.id'), 'baggage:enduser.id'),
    ...fromBody(body.asserted, HUMAN_BODY.slice(1)),
    ...fromHeaders(headers, HUMAN_HEADERS.slice(1)),
  ];
  const trace = TRACEPARENT.exec(headerValue(headers, 'traceparent') ?? '')?.[1];
  const runs = [
    ...named(path.run, 'path'),
    ...fromHeaders(headers, RUN_HEADERS.slice(0, 2)),
    ...codexSession(headers),
    ...fromHeaders(headers, RUN_HEADERS.slice(2)),
    ...named(baggage(headers, 'agent.run.id'), 'baggage:agent.run.id'),
    ...named(trace, 'header:traceparent'),
    ...fromBody(body.asserted, RUN_BODY),
  ];
  const agent = agents[0] ?? { id: 'unnamed', source: 'none', assurance: 'inferred' as const };
  const run = runs[0] ?? inferredRun(body);
  const own = caller.tags ?? [];
  const said = tagsOf(headers).filter((tag) => !own.includes(tag));
  const foreign = said.filter((tag) => own.some((known) => nameOf(known) === nameOf(tag)));
  const tags = [...own, ...said.filter((tag) => !foreign.includes(tag))];
  return {
    tenant: caller.tenant,
    ...(humans[0] && { human: humans[0] }),
    agent,
    ...(caller.key !== undefined && { key: caller.key }),
    run,
    ...spawnOf(headers, run),
    ...(tags.length > 0 && { tags }),
    // only explicit labels can contradict each other; a session header below a run label is no conflict
    conflicts: [
      ...losers(
        'run',
        run,
        runs.filter((r) => r.source === 'path' || r.source === 'header:x-tollgate-run'),
      ),
      ...losers(
        'agent',
        agent,
        agents.filter((a) => a.source !== 'header:user-agent'),
      ),
      ...foreign.map((tag) => `tag=${tag} (header:x-tollgate-tags)`),
    ],
  };
}

/** Headers that name the run which began this one (attribution.md 3 and 6). */
const PARENT_HEADERS = ['x-tollgate-parent-run', 'x-codex-parent-thread-id'] as const;

/** Who began this run; Claude Code's sub-agents share their session, so there the agent is the child of its own run. */
function spawnOf(headers: Headers, run: Named): Pick<Principal, 'spawn'> {
  const parent = fromHeaders(headers, PARENT_HEADERS)[0];
  if (parent && parent.id !== run.id) return { spawn: { parent: parent.id, child: run.id, source: parent.source } };
  const agent = fromHeaders(headers, ['x-claude-code-agent-id'])[0];
  return agent ? { spawn: { parent: run.id, child: agent.id, source: agent.source } } : {};
}

/** How many tags a call may name, and a key may have. */
export const MOST_TAGS = 8;

/** What `x-tollgate-tags` lists, each once: the call counts against the budgets and rates of scope `tag`. */
function tagsOf(headers: Headers): readonly string[] {
  const text = headerValue(headers, 'x-tollgate-tags');
  if (text === undefined) return [];
  const tags = new Set(text.split(',').flatMap((tag) => (tag.trim() === '' ? [] : [safeTag(tag.trim())])));
  if (tags.size > MOST_TAGS)
    throw new Fault('TG_BAD_REQUEST', `header \`x-tollgate-tags\` names ${tags.size} tags; send at most ${MOST_TAGS}`);
  return [...tags];
}

const SAFE_TAG = /^[A-Za-z0-9._:=-]{1,128}$/;
const safeTag = (tag: string): string => (SAFE_TAG.test(tag) ? tag : safeId(tag));

/** True for a tag as a gateway key may have it: `name` or `name=value`. */
export const isTag = (tag: string): boolean => SAFE_TAG.test(tag);

const nameOf = (tag: string): string => tag.split('=', 1)[0] ?? tag;

function inferredRun(body: BodyNames): Named {
  const known = body.infer();
  if (known !== undefined) return { id: known, source: 'conversation', assurance: 'inferred' };
  return { id: body.freshRun(), source: 'new', assurance: 'inferred' };
}
