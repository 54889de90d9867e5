import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

/** A legacy server that uses everything a server may do to its client. */
export function everythingServer(): McpServer {
  const server = new McpServer(
    { name: 'everything', version: '1' },
    { capabilities: { logging: {}, resources: { subscribe: true } }, instructions: 'Call echo before anything else.' },
  );
  server.registerTool('echo', { description: 'says it again', inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  server.registerTool('delete', { description: 'deletes', inputSchema: { path: z.string() } }, () => ({
    content: [{ type: 'text', text: 'gone' }],
  }));
  server.registerTool(
    'profile',
    { description: 'a record, twice', outputSchema: { name: z.string(), mail: z.string() } },
    () => {
      const structuredContent = { name: 'Ada', mail: 'ada.lovelace@example.com' };
      return { structuredContent, content: [{ type: 'text', text: JSON.stringify(structuredContent) }] };
    },
  );
  server.registerTool('ask', { description: 'asks the person' }, async (extra) => {
    const answer = await extra.sendRequest(
      {
        method: 'elicitation/create',
        params: {
          message: 'Which colour?',
          requestedSchema: { type: 'object', properties: { colour: { type: 'string' } } },
        },
      },
      z.looseObject({ action: z.string() }),
    );
    return { content: [{ type: 'text', text: JSON.stringify(answer) }] };
  });
  server.registerTool('think', { description: 'asks the model' }, async (extra) => {
    const answer = await extra
      .sendRequest(
        {
          method: 'sampling/createMessage',
          params: { maxTokens: 10, messages: [{ role: 'user', content: { type: 'text', text: 'two and two?' } }] },
        },
        z.looseObject({}),
      )
      .catch((error: unknown) => ({ refused: error instanceof Error ? error.message : '' }));
    return { content: [{ type: 'text', text: JSON.stringify(answer) }] };
  });
  server.registerTool('steps', { description: 'reports its progress' }, async (extra) => {
    const progressToken = extra._meta?.progressToken ?? 0;
    for (const progress of [1, 2, 3])
      await extra.sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress, total: 3, message: `step ${progress}` },
      });
    return { content: [{ type: 'text', text: 'done' }] };
  });
  server.registerResource('note', 'note://one', { description: 'a note' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'remember the milk' }],
  }));
  server.registerPrompt('greet', { description: 'greets', argsSchema: { name: z.string() } }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
  }));
  return server;
}
