// An operations agent with a shell, streaming. Nothing here knows about Tollgate: the SDK takes ANTHROPIC_BASE_URL from the environment.
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();

/** The agent's shell, simulated: it says what it was asked to run. */
function bash(command: string): string {
  console.log(`ran: ${command}`);
  if (command.startsWith('df'))
    return 'Filesystem  Size  Used Avail Use% Mounted on\n/dev/sda1    80G   79G  1.0G  99% /';
  return 'Total reclaimed space: 31.4GB';
}

const tools: Anthropic.Tool[] = [
  {
    name: 'bash',
    description: 'Runs a command on build-7.',
    input_schema: { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] },
  },
];

const messages: Anthropic.MessageParam[] = [
  { role: 'user', content: 'The disk of build-7 is full. Free some space. Say DONE when you are finished.' },
];

for (let turn = 0; turn < 8; turn += 1) {
  const stream = client.messages.stream({ model: 'claude-sonnet-5-5', max_tokens: 300, tools, messages });
  const message = await stream.finalMessage();
  messages.push({ role: 'assistant', content: message.content });
  const text = message.content.map((block) => (block.type === 'text' ? block.text : '')).join(' ');
  if (text.includes('tollgate denied')) console.log(`read: ${text}`);
  if (text.includes('DONE')) {
    console.log(text);
    break;
  }
  const results: Anthropic.ToolResultBlockParam[] = message.content
    .filter((block) => block.type === 'tool_use')
    .map(({ id, input }) => ({
      type: 'tool_result',
      tool_use_id: id,
      content: bash((input as { command: string }).command),
    }));
  messages.push({ role: 'user', content: results.length > 0 ? results : 'Go on.' });
}
