// A simulated MCP server with one tool that answers at once.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerParent } from './answer-parent.ts';

const TOOLS = JSON.stringify({
  tools: [{ name: 'echo', description: 'says it again', inputSchema: { type: 'object' } }],
});
const SAID = '{"content":[{"type":"text","text":"hello there"}]}';

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  request.on('end', () => {
    const id = /"id":("[^"]*"|[0-9]+)/.exec(text)?.[1] ?? 'null';
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"jsonrpc":"2.0","id":${id},"result":${text.includes('tools/list') ? TOOLS : SAID}}`);
  });
});
server.listen(0, '127.0.0.1', () => answerParent((server.address() as AddressInfo).port, async () => undefined));
