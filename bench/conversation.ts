const WORDS =
  'const function return await import from export class readonly string number value { } ( ) => ; = === if else for of in new Map Set "src/index.ts" the a test expects it to be so'.split(
    ' ',
  );

/** Characters of one tool result, of the system prompt, of one tool's description. */
const RESULT = 4_000;
const SYSTEM = 12_000;
const DESCRIPTION = 600;
const TOOLS = 15;

/** Text like source code; the same for the same seed. */
function source(length: number, seed: number): string {
  let state = (seed * 2_654_435_761 + 12_345) % 2_147_483_648;
  let text = '';
  while (text.length < length) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${WORDS[Math.floor((state / 2_147_483_648) * WORDS.length)]}${state % 9 === 0 ? '\n  ' : ' '}`;
  }
  return text.slice(0, length);
}

const tools = Array.from({ length: TOOLS }, (_, i) => ({
  type: 'function',
  function: {
    name: `tool_${i}`,
    description: source(DESCRIPTION, i),
    parameters: {
      type: 'object',
      properties: { path: { type: 'string', description: source(80, i) }, limit: { type: 'integer' } },
      required: ['path'],
    },
  },
}));
const system = { role: 'system', content: source(SYSTEM, 99) };

/** A coding agent at work: every step calls a tool, takes its result and sends everything again. */
export class Conversation {
  readonly name: string;
  readonly #messages: object[];
  #steps = 0;

  /** `steps` are behind it. */
  constructor(name: string, steps: number) {
    this.name = name;
    this.#messages = [system, { role: 'user', content: `${name}: ${source(400, 7)}` }];
    for (let n = 0; n < steps; n += 1) this.#step();
  }

  #step(): void {
    this.#steps += 1;
    const id = `call_${this.name}_${this.#steps}`;
    const seed = [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_003, 7);
    const call = { name: `tool_${this.#steps % TOOLS}`, arguments: JSON.stringify({ path: source(60, seed) }) };
    this.#messages.push(
      { role: 'assistant', content: source(150, seed + 1), tool_calls: [{ id, type: 'function', function: call }] },
      { role: 'tool', tool_call_id: id, content: source(RESULT, seed + 2) },
    );
  }

  /** The next request. */
  goOn(): string {
    this.#step();
    return JSON.stringify({ model: 'gpt-4o-mini', messages: this.#messages, tools, max_tokens: 400 });
  }
}
