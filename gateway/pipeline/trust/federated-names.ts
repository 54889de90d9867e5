import { lookAlikeKeys } from '../../domain/look-alike.ts';
import type { McpNames, ServerName } from '../../ports/mcp-names.ts';

/** What the configuration says about the names of one server; `server` is our key for it, in the order of the file. */
export interface FederatedServer {
  readonly server: string;
  /** exposed name by the server's own */
  readonly aliases: Readonly<Record<string, string>>;
  /** prefixes of the resource URIs it owns */
  readonly resources: readonly string[];
  readonly federated: boolean;
}

/** A clash that keeps the gate from starting; `path` leads to it below `mcp.servers`. */
export interface NameProblem {
  readonly path: readonly string[];
  readonly message: string;
}

const SEPARATOR = '__';
/** What every provider of models takes as a tool's name. */
const EXPOSED = /^[A-Za-z0-9_-]{1,64}$/;
/** A step up in a path, however it is encoded: what lies below a prefix as text must lie below it as a path. */
const UP = /(?:^|[/\\]|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){2}(?:[/\\?#]|%(?:25)*(?:2f|5c)|$)/i;

const serverOf = (exposed: string): string | undefined => {
  const at = exposed.indexOf(SEPARATOR);
  return at === -1 ? undefined : exposed.slice(0, at);
};

/** Names on the federated endpoint (mcp-plane.md 7). One tool has one name: where there is an alias, the joined name is nobody's. */
export function createNames(servers: readonly FederatedServer[]): McpNames {
  const federated = servers.filter((s) => s.federated);
  const byServer = new Map(federated.map((s) => [s.server, new Map(Object.entries(s.aliases))]));
  const byAlias = new Map<string, ServerName>(
    federated.flatMap(({ server, aliases }) =>
      Object.entries(aliases).map(([name, alias]): [string, ServerName] => [alias, { server, name }]),
    ),
  );
  const expose = (server: string, name: string): string | undefined => {
    const aliases = byServer.get(server);
    if (aliases === undefined) return undefined;
    const exposed = aliases.get(name) ?? `${server}${SEPARATOR}${name}`;
    return EXPOSED.test(exposed) ? exposed : undefined;
  };
  return {
    expose,
    resolve: (exposed) => {
      const alias = byAlias.get(exposed);
      if (alias !== undefined) return alias;
      const server = serverOf(exposed);
      if (server === undefined) return undefined;
      const name = exposed.slice(server.length + SEPARATOR.length);
      return name !== '' && expose(server, name) === exposed ? { server, name } : undefined;
    },
    ownerOf: (uri) => {
      if (UP.test(uri)) return undefined;
      const owners = federated.filter(({ resources }) => resources.some((prefix) => below(uri, prefix)));
      return owners.length > 1 ? 'ambiguous' : owners[0]?.server;
    },
  };
}

/** True where the URI is the prefix, or continues it behind a boundary: `file:///data` does not own `file:///database`. */
const below = (uri: string, prefix: string): boolean =>
  uri.startsWith(prefix) &&
  (uri.length === prefix.length || /[/:?#=]$/.test(prefix) || '/?#'.includes(uri.charAt(prefix.length)));

/** Everything in the configuration that would give two tools one name, or one URI two owners. Names are compared as people see them. */
export function nameProblems(servers: readonly FederatedServer[]): readonly NameProblem[] {
  const problems: NameProblem[] = [];
  const names = new Set(servers.map((s) => s.server));
  const taken = new Map<string, { readonly server: string; readonly alias: string }>();
  const owned = new Map<string, string>();
  for (const { server, aliases, resources, federated } of servers) {
    if (!federated) continue;
    for (const [name, alias] of Object.entries(aliases)) {
      const path = [server, 'aliases', name];
      const prefix = serverOf(alias);
      if (prefix !== undefined && names.has(prefix) && alias !== `${server}${SEPARATOR}${name}`)
        problems.push({
          path,
          message: `the alias \`${alias}\` reads as a tool of the server \`${prefix}\`; choose one that does not begin with \`${prefix}${SEPARATOR}\``,
        });
      const keys = lookAlikeKeys(alias);
      const other = keys.map((key) => taken.get(key)).find((o) => o !== undefined);
      if (other)
        problems.push({
          path,
          message: `the alias \`${alias}\` equals or can be taken for \`${other.alias}\` of the server \`${other.server}\`; choose another`,
        });
      for (const key of keys) taken.set(key, { server, alias });
    }
    for (const [i, prefix] of resources.entries()) {
      const other = owned.get(prefix);
      if (other !== undefined && other !== server)
        problems.push({
          path: [server, 'resources', String(i)],
          message: `\`${prefix}\` is owned by the server \`${other}\` already; a resource has one owner`,
        });
      owned.set(prefix, server);
    }
  }
  return problems;
}
