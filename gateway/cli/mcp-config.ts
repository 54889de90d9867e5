import { Command, Option } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { hint } from '../domain/nearest.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { CommandFailure, print } from './terminal.ts';

interface Options {
  config: string;
  client: keyof typeof CLIENTS;
  server?: string;
  url?: string;
  json?: boolean;
}

/** The variable that holds a caller's gateway key, in clients that read it from their environment. */
const KEY = 'TOLLGATE_KEY';

interface Wanted {
  readonly name: string;
  readonly url: string;
  /** callers have to show a gateway key */
  readonly keyed: boolean;
}

interface ClientConfig {
  /** where the client reads it */
  readonly file: string;
  readonly value: unknown;
  /** as it stands in the file */
  readonly text: string;
}

const json = (file: string, value: unknown): ClientConfig => ({ file, value, text: JSON.stringify(value, null, 2) });
const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

/** How each client is told of a server over streamable HTTP, by its own documentation. */
const CLIENTS = {
  'claude-code': ({ name, url, keyed }: Wanted) =>
    json('.mcp.json', { mcpServers: { [name]: { type: 'http', url, ...(keyed && bearer(`\${${KEY}}`)) } } }),
  cursor: ({ name, url, keyed }: Wanted) =>
    json('.cursor/mcp.json', { mcpServers: { [name]: { url, ...(keyed && bearer(`\${env:${KEY}}`)) } } }),
  vscode: ({ name, url, keyed }: Wanted) =>
    json('.vscode/mcp.json', {
      ...(keyed && {
        inputs: [{ type: 'promptString', id: 'tollgate-key', description: 'gateway key', password: true }],
      }),
      servers: { [name]: { type: 'http', url, ...(keyed && bearer(`\${input:tollgate-key}`)) } },
    }),
  codex: ({ name, url, keyed }: Wanted): ClientConfig => {
    const entry = { url, ...(keyed && { bearer_token_env_var: KEY }) };
    const members = Object.entries(entry).map(([member, text]) => `${member} = ${JSON.stringify(text)}`);
    const text = [`[mcp_servers.${name}]`, ...members].join('\n');
    return { file: '~/.codex/config.toml', value: { mcp_servers: { [name]: entry } }, text };
  },
} as const;

/** `tollgate mcp config`: what to put into a client so that it reaches its servers through the gate. */
export function mcpConfigCommand(): Command {
  return new Command('config')
    .description('print the configuration with which a client reaches servers through the gate')
    .addOption(new Option('--client <client>', 'which client').choices(Object.keys(CLIENTS)).makeOptionMandatory())
    .addOption(configOption())
    .option('--server <name>', 'only this server, under its own tool names; without it all of them at /mcp')
    .option('--url <url>', 'how the client reaches the gate; default: as the configuration says')
    .addOption(jsonOption())
    .action(show);
}

function show(options: Options): void {
  const config = configAt(options.config);
  const servers = Object.keys(config.mcp?.servers ?? {});
  const { server } = options;
  if (servers.length === 0)
    throw new CommandFailure(1, `\`${options.config}\` names no MCP server; add one with \`tollgate mcp add\``);
  if (server !== undefined && !servers.includes(server))
    throw new CommandFailure(1, `\`${options.config}\` has no server \`${server}\`${hint(server, servers)}`);
  const url = `${gateUrl(config, options.url)}/mcp${server === undefined ? '' : `/${server}`}`;
  const keyed = config.access === 'keys' && config.mcp?.oauth === undefined;
  const made = CLIENTS[options.client]({ name: server ?? 'tollgate', url, keyed });
  if (options.json) return print({ client: options.client, file: made.file, url, config: made.value });
  print(made.text);
  process.stderr.write(
    `put this into \`${made.file}\`${keyed ? `; \`${KEY}\` is a key from \`tollgate keys create\`` : ''}\n`,
  );
}

const EVERYWHERE = new Set(['0.0.0.0', '::', '[::]']);

/** Where clients find the gate: as told, as its tokens are made for, or where it listens. */
function gateUrl({ listen, mcp }: LoadedConfig, told: string | undefined): string {
  if (told !== undefined) {
    if (!URL.canParse(told) || !/^https?:$/.test(new URL(told).protocol))
      throw new CommandFailure(2, `--url \`${told}\` is no http or https URL`);
    return told.replace(/\/+$/, '');
  }
  if (mcp?.oauth) return mcp.oauth.resource.replace(/\/+$/, '');
  const host = EVERYWHERE.has(listen.host) || listen.host === '127.0.0.1' ? 'localhost' : listen.host;
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${listen.port}`;
}
