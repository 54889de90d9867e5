// A support agent. Nothing here knows about Tollgate: the SDK takes OPENAI_BASE_URL from the environment.
import OpenAI from 'openai';
import { FAKE_SECRET } from '../fake-secret.ts';

const client = new OpenAI();

const tool = (name: string, argument: string): OpenAI.ChatCompletionTool => ({
  type: 'function',
  function: {
    name,
    parameters: { type: 'object', properties: { [argument]: { type: 'string' } }, required: [argument] },
  },
});

/** The agent's own tools. A customer pasted a cloud key into the ticket. */
const TOOLS: Readonly<Record<string, () => string>> = {
  lookup_order: () => '{"order":"A-1009","status":"packed","ships":"tomorrow"}',
  read_ticket: () => `Where is order A-1009? My upload fails too, my settings: aws_secret_access_key = ${FAKE_SECRET}`,
};

const messages: OpenAI.ChatCompletionMessageParam[] = [
  { role: 'system', content: 'You answer support tickets. Look things up before you answer.' },
  { role: 'user', content: 'Answer ticket T-77, it is about order A-1009.' },
];

for (let turn = 0; turn < 8; turn += 1) {
  const completion = await client.chat.completions.create({
    model: 'gpt-6-sol',
    max_completion_tokens: 300,
    tools: [tool('lookup_order', 'order_id'), tool('read_ticket', 'ticket')],
    messages,
  });
  const answer = completion.choices[0]?.message;
  if (!answer) throw new Error('the model gave no answer');
  messages.push(answer);
  if (!answer.tool_calls) {
    console.log(answer.content);
    break;
  }
  for (const call of answer.tool_calls) {
    const name = call.type === 'function' ? call.function.name : '';
    messages.push({ role: 'tool', tool_call_id: call.id, content: TOOLS[name]?.() ?? `no tool is called ${name}` });
  }
}
