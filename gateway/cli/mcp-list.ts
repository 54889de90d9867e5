import { Command } from 'commander';
import type { McpServerConfig } from '../config/mcp-schema.ts';
import { visibleText } from '../domain/visible-text.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { withPinDesk } from './pin-desk.ts';
import { columns, print } from './terminal.ts';

interface Options {
  config: string;
  json?: boolean;
}

/** `tollgate mcp list`: the servers of the configuration, how they are reached, and how many of their definitions wait. */
export function mcpListCommand(): Command {
  return new Command('list')
    .description('the servers of the configuration, and how many of their definitions wait for approval')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(list);
}

const transportOf = (server: McpServerConfig): string =>
  'url' in server ? (server.sse_legacy ? 'sse' : 'http') : 'stdio';

/** Never the environment or a credential: they may be secrets. A command's arguments may hold what was put there, and are left out as well. */
const targetOf = (server: McpServerConfig): string =>
  'url' in server ? withoutQuery(server.url) : (server.command[0] ?? '');

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function list({ config: file, json }: Options): void {
  const servers = Object.entries(configAt(file).mcp?.servers ?? {});
  const pins = servers.length === 0 ? [] : withPinDesk(file, ({ entries }) => entries);
  const rows = servers.map(([name, server]) => {
    const own = pins.filter((pin) => pin.server === name);
    return {
      name,
      transport: transportOf(server),
      target: targetOf(server),
      at: `/mcp/${name}`,
      federated: server.federated,
      approved: own.filter(({ state }) => state === 'approved' || state === 'unseen').length,
      waiting: own.filter(({ state }) => state === 'waiting' || state === 'quarantined').length,
    };
  });
  if (json) return print(visibleText(JSON.stringify({ servers: rows })));
  if (rows.length === 0)
    return print('no server is configured; add one with `tollgate mcp add <name> --url <url>` or `… -- <command>`');
  const head = ['NAME', 'TRANSPORT', 'TARGET', 'AT', 'APPROVED', 'WAITING'];
  const cells = rows.map((r) => [
    r.name,
    r.transport,
    visibleText(r.target),
    r.federated ? `${r.at}, /mcp` : r.at,
    String(r.approved),
    String(r.waiting),
  ]);
  for (const line of columns([head, ...cells], [4, 5])) print(line);
}
