import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { verifyChain } from '../gateway/audit/chain.ts';
import type { Call } from '../gateway/cli/feed/call.ts';
import { callHeader, callLine } from '../gateway/cli/feed/call-line.ts';
import { followCalls } from '../gateway/cli/feed/follow-calls.ts';
import { paint, type Tone } from '../gateway/cli/feed/paint.ts';
import { nano } from '../gateway/domain/scalars.ts';
import { baseUrlOf, type DemoAgent, runAgent } from './agent-process.ts';
import { FAKE_SECRET } from './fake-secret.ts';
import { type House, openHouse, RUN_LIMIT_USD } from './house.ts';
import { savingsText, sumOf, type Tally, tallyOf } from './savings.ts';
import { playTools, type ToolAct } from './tools.ts';

const HELP = `npm run demo                 three agents, two simulated providers, three MCP servers; no key, no network
npm run demo -- --keep       the same, then leave the gate open for your own client`;

const AGENTS: readonly (DemoAgent & { readonly title: string })[] = [
  {
    name: 'support',
    run: 'r1',
    provider: 'openai',
    file: new URL('./agents/support.ts', import.meta.url),
    title: 'a support agent reads a ticket in which a customer pasted a cloud key',
  },
  {
    name: 'ops',
    run: 'r2',
    provider: 'anthropic',
    file: new URL('./agents/ops.ts', import.meta.url),
    title: 'an operations agent frees disk space; its model proposes rm -rf /',
  },
  {
    name: 'looper',
    run: 'r3',
    provider: 'openai',
    file: new URL('./agents/looper.ts', import.meta.url),
    title: 'a travel agent that never has enough and searches for ever',
  },
];

const colour = process.stdout.isTTY === true && !process.env['NO_COLOR'];
const width = process.stdout.columns ?? (Number(process.env['COLUMNS']) || 120);
const say = (text = '', tone: Tone = 'plain'): void => void process.stdout.write(`${paint(text, tone, colour)}\n`);

/** The live feed, as `tollgate tail` shows it: every call printed and kept. */
class Feed {
  readonly calls: Call[] = [];
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  /** Resolves once the stream is open. */
  open(office: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#done = this.#follow(office, resolve);
      this.#done.catch(reject);
    });
  }

  async #follow(office: string, onOpen: () => void): Promise<void> {
    for await (const call of followCalls(office, this.#stop.signal, { onOpen })) {
      this.calls.push(call);
      say(callLine(call, { width, colour, total: sumOf(this.calls) }));
    }
  }

  /** Waits until the feed has told how a run ended: with a text or an error. A call is told once it is sealed, after its answer. */
  async ended(run: string): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      const calls = this.calls.filter((call) => call.run === run);
      if (calls.some(({ status, actions }) => status >= 400 || actions.some(({ point }) => point === 'output'))) return;
      await wait(50);
    }
    throw new Error(`the live feed did not tell how run \`${run}\` ended`);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

function sayTitle(): void {
  say('tollgate demo: three agents, two simulated providers, three MCP servers', 'strong');
  say('no key, no network; everything is on this machine and gone afterwards');
  say();
}

function sayOpening(house: House): void {
  say(`gate      ${house.url}, ${house.rules} rules of policies/starter, $${RUN_LIMIT_USD} per run`);
  say('agents    written with the official SDKs; their only setting is the base URL');
  say();
  say(callHeader({ width, colour, total: nano(0n) }));
}

async function play(house: House, feed: Feed, signal: AbortSignal): Promise<void> {
  for (const [i, agent] of AGENTS.entries()) {
    say();
    say(`${i + 1}  ${agent.title}`, 'strong');
    say(`   ${agent.provider.toUpperCase()}_BASE_URL=${baseUrlOf(agent, house.url)}`, 'dim');
    const lines = await runAgent(agent, house.url, signal);
    await feed.ended(agent.run);
    for (const line of lines) sayWrapped(`${agent.name} `, line);
  }
}

/** What an agent printed, behind its name, within the width. */
function sayWrapped(name: string, line: string): void {
  let row = '';
  let first = true;
  const flush = (): void => {
    say(`   ${paint((first ? name : '').padEnd(8), 'dim', colour)}│ ${row}`);
    first = false;
    row = '';
  };
  for (const word of line.split(' ')) {
    if (row !== '' && row.length + word.length + 14 > Math.min(width, 110)) flush();
    row += row === '' ? word : ` ${word}`;
  }
  flush();
}

const TONES: Readonly<Record<ToolAct['decision'], Tone>> = {
  allow: 'plain',
  DENY: 'bad',
  redact: 'strong',
  HIDE: 'bad',
};

/** The same gate in front of tools: MCP servers behind one address. */
async function showTools(): Promise<readonly ToolAct[]> {
  say();
  say(`${AGENTS.length + 1}  tools: two MCP servers from npm, and one that changes its tool`, 'strong');
  const acts: ToolAct[] = [];
  await playTools(
    (url) => say(`   ${url}, each server a process that the gate started`, 'dim'),
    (act) => {
      acts.push(act);
      say(`   ${act.what.padEnd(24)} ${paint(act.decision, TONES[act.decision], colour)}`);
      sayWrapped('', act.shown);
    },
  );
  return acts;
}

/** What the demo promises to show; a promise not kept is an error, not a shorter summary. */
function brokenPromises(tally: Tally, house: House): readonly string[] {
  const leaked = house.sims.some(({ seen }) => seen.some(({ body }) => body.includes(FAKE_SECRET)));
  return [
    ...(tally.denied > 0 ? [] : ['no tool call was denied']),
    ...(tally.redacted > 0 ? [] : ['no secret was redacted']),
    ...(tally.halted ? [] : ['the runaway was not stopped']),
    ...(leaked ? ['the secret reached the provider'] : []),
  ];
}

async function sayClosing(house: House, feed: Feed, acts: readonly ToolAct[]): Promise<boolean> {
  const tally = tallyOf(feed.calls, acts);
  say();
  say('what was saved', 'strong');
  for (const line of savingsText(tally, RUN_LIMIT_USD)) say(`   ${line}`);
  const chain = await verifyChain(house.spool);
  const verdict = chain.ok
    ? `${chain.lines} lines, hash chain verified from the first to the last`
    : `broken at ${chain.file}:${chain.line}: ${chain.problem}`;
  say(`   record              ${verdict}`);
  const problems = [...brokenPromises(tally, house), ...(chain.ok ? [] : ['the record does not verify'])];
  for (const problem of problems) say(`   not as promised     ${problem}`, 'bad');
  return problems.length === 0;
}

function sayNext(): void {
  say();
  say('next', 'strong');
  say('   npm run -s tollgate -- serve --config tollgate.yaml     the gate on port 8787');
  say('   OPENAI_BASE_URL=http://localhost:8787/openai/v1         in front of your client');
  say('   ANTHROPIC_BASE_URL=http://localhost:8787/anthropic      with your own key');
  say('   npm run -s tollgate -- tail                             this feed');
}

async function stayOpen(house: House, signal: AbortSignal): Promise<void> {
  say();
  say('the gate stays open with its simulated providers; ctrl-c ends it', 'strong');
  say(`   OPENAI_BASE_URL=${house.url}/openai/v1      any key will do`);
  say(`   ANTHROPIC_BASE_URL=${house.url}/anthropic`);
  say(`   curl ${house.office}/api/runs`);
  say();
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    say(HELP);
    return 0;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  // whoever read our output left: end as after ctrl-c, with everything cleaned up
  process.stdout.on('error', () => stop.abort());
  sayTitle();
  const house = await openHouse();
  const feed = new Feed();
  try {
    await feed.open(house.office);
    sayOpening(house);
    await play(house, feed, stop.signal);
    const kept = await sayClosing(house, feed, await showTools());
    if (values.keep) await stayOpen(house, stop.signal);
    else sayNext();
    return kept ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    throw error;
  } finally {
    await feed.close();
    await house.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
