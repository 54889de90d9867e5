import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

// A server of both eras on stdio, made of the official SDK, started as a process of its own.

serveStdio(() => {
  const server = new McpServer({ name: 'both', version: '1' });
  server.registerTool(
    'echo',
    { description: 'says it again', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => ({ content: [{ type: 'text', text: `${process.pid}: ${text}` }] }),
  );
  return server;
});
