import { dialects } from '../../../gateway/dialects/_all.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json, JsonText } from '../../../gateway/domain/json.ts';
import { type Splice, splice, spliceAll } from '../../../gateway/domain/json-splice.ts';
import { JsonFault, parseStrict } from '../../../gateway/domain/json-text.ts';
import { resolvePointer } from '../../../gateway/domain/pointer.ts';
import { arrivingActions, modelCallAction, modelOf } from '../../../gateway/pipeline/request-actions.ts';
import type { Dialect, Reading } from '../../../gateway/ports/dialect.ts';
import { snapshot } from '../../unit/policy/_judging.ts';
import type { Target } from '../target.ts';
import { judged, load, WALL } from './judging.ts';

/** A dialect, a path it claims, and the member of its body that holds the conversation. */
const ROUTES: readonly (readonly [Dialect, string, string])[] = (
  [
    ['openai-chat', '/v1/chat/completions', 'messages'],
    ['anthropic-messages', '/v1/messages', 'messages'],
    ['openai-responses', '/v1/responses', 'input'],
    ['gemini', '/v1beta/models/gemini-2.5-pro:generateContent', 'contents'],
    ['bedrock-converse', '/model/anthropic.claude-v2/converse', 'messages'],
  ] as const
).map(([name, path, turns]) => {
  const dialect = (dialects as readonly Dialect[]).find((d) => d.name === name);
  if (!dialect?.claims('POST', path)) throw new Error(`no dialect \`${name}\` claims ${path}`);
  return [dialect, path, turns];
});

/** What no call may say: whoever finds it in a text of the conversation has to deny. */
const FORBIDDEN = 'FORBIDDEN-7f3a';

const DENYING = load([
  JSON.stringify({
    policy: 'tollgate/v1',
    name: 't',
    default: 'allow',
    rules: [
      {
        id: 'said',
        at: ['input', 'pre_model_call', 'post_tool_call'],
        when: `text.contains("${FORBIDDEN}")`,
        verdict: 'deny',
      },
    ],
  }),
]);
const WALLED = load([WALL]);

/** A refusal of the request, or what it gave. */
function refusable<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    if (error instanceof Fault && error.code !== 'TG_INTERNAL') return undefined;
    throw error;
  }
}

/** Texts of well-formed messages in the member `turns`, found without any dialect: a plain string, or items of type text alone. */
function saidIn(body: Json, turns: string): string[] {
  const value = resolvePointer(body, `/${turns}`);
  if (!Array.isArray(value)) return [];
  return (value as Json[]).flatMap((turn) => {
    const role = resolvePointer(turn, '/role');
    if (role !== 'user' && role !== 'system') return [];
    const content = resolvePointer(turn, '/content') ?? resolvePointer(turn, '/parts');
    if (typeof content === 'string') return [content];
    if (!Array.isArray(content)) return [];
    return (content as Json[]).flatMap((item) => {
      const text = resolvePointer(item, '/text');
      return typeof text === 'string' ? [text] : [];
    });
  });
}

/** Every action of the request is denied by who denies all, and one of them by who denies what it says. */
function mustBeDenied(reading: Reading, body: Json, turns: string): void {
  const model = modelOf(reading, 'p');
  const principal = { agent: { id: 'a' }, tenant: { id: 't' } } as Parameters<typeof arrivingActions>[2];
  const actions = [...arrivingActions(reading, model, principal, false), modelCallAction(reading, model)];
  const decisions = actions.map(({ action }) => {
    const call = snapshot({ action });
    if (!WALLED || judged(WALLED, call).decision !== 'deny') throw new Error(`a wall has a hole at ${action.point}`);
    return DENYING && judged(DENYING, call).decision;
  });
  const said = saidIn(body, turns).find((text) => text.includes(FORBIDDEN));
  if (said !== undefined && !decisions.includes('deny'))
    throw new Error(`what is denied passes: ${JSON.stringify(said)}`);
}

/** What the reading says of the body is there, and can be edited without touching anything else. */
function mustBeTrueOf([dialect, path, turns]: (typeof ROUTES)[number], doc: JsonText, reading: Reading): void {
  for (const { at, text } of reading.parts)
    if (resolvePointer(doc.value, at) !== text)
      throw new Error(`\`${dialect.name}\`: the text at \`${at}\` is another one`);
  for (const { at, content, parts } of reading.results) {
    // a result that says nothing is judged all the same, and a verdict can write what it should say
    const written = content === null ? parseStrict(splice(doc.text, { at, json: '"x"' })).value : doc.value;
    if (resolvePointer(written, at) === undefined) throw new Error(`\`${dialect.name}\`: no result at \`${at}\``);
    for (const part of parts)
      if (resolvePointer(content, part.at) !== part.text)
        throw new Error(`\`${dialect.name}\`: no such text in a result`);
  }
  parseStrict(spliceAll(doc.text, reading.preparation));
  const places = reading.parts.filter((part) => part.frozen === undefined).map((part) => part.at);
  const edits: Splice[] = [...new Set(places)].map((at) => ({ at, json: '"x"' }));
  const edited = parseStrict(spliceAll(doc.text, edits));
  for (const at of places)
    if (resolvePointer(edited.value, at) !== 'x')
      throw new Error(`\`${dialect.name}\`: an edit at \`${at}\` did not land`);
  if (saidIn(edited.value, turns).some((text) => text.includes(FORBIDDEN)))
    throw new Error(`\`${dialect.name}\`: a text is left after all have been taken out`);
  const again = refusable(() => dialect.read(edited, edited.text.length, {}, path));
  if (again && JSON.stringify(again.parts.map((p) => p.at)) !== JSON.stringify(reading.parts.map((p) => p.at)))
    throw new Error(`\`${dialect.name}\`: other places hold text once it has been edited`);
}

/** The same bytes come out of a stream that went in, wherever they are cut. */
function mustStream(dialect: Dialect, reading: Reading, body: string): void {
  const bytes = Buffer.from(body);
  const sent = [bytes.length >> 1, bytes.length].map((cut) => {
    const reader = dialect.openStream(reading);
    // A binary stream may be refused, and then so wherever it is cut.
    return refusable(() => {
      const frames = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut)), ...reader.end()];
      reader.usage();
      reader.mark();
      return Buffer.concat(frames.map((f) => f.bytes)).toString('hex');
    });
  });
  if (sent[0] !== sent[1]) throw new Error(`\`${dialect.name}\`: a stream cut in two is another stream`);
}

/** The name of a dialect in the first line, the body of a request (and of a reply) in the others. */
export const target: Target = {
  words: [
    FORBIDDEN,
    '"role":"user"',
    '"content":',
    '{"type":"text","text":"',
    '"messages":[',
    '"tools":[',
    'null',
    '[]',
    '{}',
    '"stream":true',
    '\\u0046',
    '\\ud800',
    '"__proto__":1',
    'data: ',
    'event: ',
    '\n\n',
    '[DONE]',
    '1e400',
    '-0',
    '"type":"tool_result"',
    '"type":"function_call_output"',
  ],
  most: 4_096,
  boundMs: 2_000,
  run(input) {
    const line = input.indexOf('\n');
    const name = input.slice(0, Math.max(0, line));
    const body = input.slice(line + 1);
    const route = ROUTES.find(([d]) => d.name === name) ?? ROUTES[input.length % ROUTES.length];
    const [dialect, path, turns] = route as (typeof ROUTES)[number];
    const doc = refusable(() => parseStrict(body));
    const reading = doc && refusable(() => dialect.read(doc, Buffer.byteLength(body), {}, path));
    if (doc && reading) {
      mustBeDenied(reading, doc.value, turns);
      mustBeTrueOf([dialect, path, turns], doc, reading);
    }
    if (doc) refusable(() => dialect.readReply(doc));
    if (PLAIN.has(dialect) || reading) mustStream(dialect, reading ?? (PLAIN.get(dialect) as Reading), body);
    return undefined;
  },
};

/** A reading to open a stream with, for bodies that are none themselves. */
const PLAIN = new Map<Dialect, Reading>(
  ROUTES.flatMap(([dialect, path]) => {
    const doc = parseStrict(
      JSON.stringify({
        model: 'm',
        stream: true,
        max_tokens: 9,
        messages: [{ role: 'user', content: dialect.name === 'bedrock-converse' ? [{ text: 'a' }] : 'a' }],
        input: 'a',
        contents: [{ role: 'user', parts: [{ text: 'a' }] }],
      }),
    );
    const reading = refusable(() => dialect.read(doc, doc.text.length, {}, path));
    return reading ? [[dialect, reading] as const] : [];
  }),
);
