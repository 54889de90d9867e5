// A travel agent that never has enough: it searches one more day, for ever. Nothing here knows about Tollgate or budgets.
import OpenAI, { APIError } from 'openai';

const client = new OpenAI();

/** The agent's search, simulated. */
function searchFlights(day: string): string {
  return `${day}: TG104 at 10:05 for €417, TG107 at 13:05 for €389; other days have other fares`;
}

const tools: OpenAI.ChatCompletionTool[] = [
  {
    type: 'function',
    function: { name: 'search_flights', parameters: { type: 'object', properties: { day: { type: 'string' } } } },
  },
];

const task: OpenAI.ChatCompletionMessageParam = {
  role: 'user',
  content: 'Find the cheapest flight to Lisbon. Do not stop before you are sure.',
};
let latest: OpenAI.ChatCompletionMessageParam[] = [];

try {
  for (;;) {
    const completion = await client.chat.completions.create({
      model: 'gpt-6-sol',
      max_completion_tokens: 300,
      tools,
      messages: [task, ...latest],
    });
    const answer = completion.choices[0]?.message;
    if (!answer) throw new Error('the model gave no answer');
    latest = [answer];
    for (const call of answer.tool_calls ?? []) {
      const args = call.type === 'function' ? (JSON.parse(call.function.arguments) as { day: string }) : { day: '' };
      latest.push({ role: 'tool', tool_call_id: call.id, content: searchFlights(args.day) });
    }
  }
} catch (error) {
  if (!(error instanceof APIError)) throw error;
  console.log(`${error.constructor.name} ${error.message}`);
}
