import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { openSharedDesk } from '../compose.ts';
import { epochMs } from '../domain/scalars.ts';
import { KEY_PREFIX, keyHash } from '../identity/api-key.ts';
import { isTag, MOST_TAGS, safeId } from '../identity/attribution.ts';
import type { KeyRecord, Keys } from '../ports/keys.ts';
import { openKeys } from '../stores/embedded/open-embedded.ts';
import { createIds, systemClock } from '../telemetry/clock.ts';
import { createLog } from '../telemetry/log.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Shared {
  config: string;
  json?: boolean;
}

interface Create extends Shared {
  agent: string;
  human?: string;
  tenant: string;
  expires?: string;
  tag: readonly string[];
}

/** `tollgate keys`: gateway keys, kept only as hashes; they work at once in a running gate. */
export function keysCommand(): Command {
  const create = new Command('create')
    .description('make a gateway key; it is shown once and kept only as a hash')
    .addOption(configOption())
    .requiredOption('--agent <name>', 'the agent this key speaks for')
    .option('--human <id>', 'who answers for it')
    .option('--tenant <id>', 'whose budget it spends', 'default')
    .option('--expires <date>', 'an ISO date from which it is refused')
    .option('--tag <name=value>', 'what its calls are booked under; may be given several times', together, [])
    .addOption(jsonOption())
    .action((options: Create) => withKeys(options.config, (keys) => createKey(keys, options)));
  const list = new Command('list')
    .description('the keys there are, never the keys themselves')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: Shared) =>
      withKeys(options.config, async (keys) => show(await keys.list(), options.json ?? false)),
    );
  const revoke = new Command('revoke')
    .description('refuse a key from now on')
    .argument('<id>', 'the id that `keys list` shows')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string, options: Shared) =>
      withKeys(options.config, async (keys) => {
        if (!(await keys.revoke(id, systemClock().now())))
          throw new CommandFailure(1, `no key \`${id}\` that could be revoked; \`tollgate keys list\` shows them`);
        print(options.json ? { revoked: id } : `key \`${id}\` is revoked`);
      }),
    );
  const command = new Command('keys').description('gateway keys: create, list, revoke');
  for (const sub of [create, list, revoke]) command.addCommand(sub.exitOverride());
  return command;
}

async function withKeys(config: string, use: (keys: Keys) => Promise<void>): Promise<void> {
  const loaded = configAt(config);
  mkdirSync(loaded.state, { recursive: true, mode: 0o700 });
  const shared = await openSharedDesk(loaded, createLog({ level: 'silent' }));
  const opened = shared ?? openKeys(join(loaded.state, 'tollgate.db'));
  try {
    await use(opened.keys);
  } finally {
    await opened.close();
  }
}

const together = (tag: string, tags: readonly string[]): readonly string[] => [...new Set([...tags, tag])];

async function createKey(keys: Keys, options: Create): Promise<void> {
  for (const [name, value] of [
    ['agent', options.agent],
    ['human', options.human],
    ['tenant', options.tenant],
  ] as const) {
    if (value !== undefined && !/^[A-Za-z0-9._:@+-]{1,128}$/.test(value)) {
      throw new CommandFailure(
        2,
        `--${name} \`${value}\` may hold letters, digits and \`. _ : @ + -\` only, at most 128`,
      );
    }
  }
  const expiresAt = options.expires === undefined ? undefined : Date.parse(options.expires);
  if (expiresAt !== undefined && Number.isNaN(expiresAt))
    throw new CommandFailure(2, `--expires \`${options.expires}\` is no ISO date such as 2027-01-31`);
  const tags = tagsOf(options.tag);
  const clock = systemClock();
  const key = `${KEY_PREFIX}${randomBytes(32).toString('base64url')}`;
  const record: KeyRecord = {
    id: createIds(clock).key(),
    tenant: options.tenant,
    agent: safeId(options.agent),
    createdAt: clock.now(),
    ...(options.human !== undefined && { human: options.human }),
    ...(expiresAt !== undefined && { expiresAt: epochMs(expiresAt) }),
    ...(tags.length > 0 && { tags }),
  };
  await keys.add(keyHash(key), record);
  if (options.json) print({ key, ...record });
  else {
    print(key);
    console.error(
      `key \`${record.id}\` for agent \`${record.agent}\` of tenant \`${record.tenant}\`; this is the only time it is shown`,
    );
  }
}

/** Throws a CommandFailure where one is none, or there are too many. */
function tagsOf(tags: readonly string[]): readonly string[] {
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined)
    throw new CommandFailure(2, `--tag \`${wrong}\` may hold letters, digits and \`. _ : = -\` only, at most 128`);
  if (tags.length > MOST_TAGS)
    throw new CommandFailure(2, `--tag is given ${tags.length} times; a key has at most ${MOST_TAGS} tags`);
  return tags;
}

function show(records: readonly KeyRecord[], json: boolean): void {
  if (json) return print({ keys: records });
  const day = (ms: number | undefined): string => (ms === undefined ? '-' : new Date(ms).toISOString().slice(0, 10));
  const rows = records.map((r) => [
    r.id,
    r.tenant,
    r.agent,
    r.human ?? '-',
    r.tags?.join(',') ?? '-',
    day(r.createdAt),
    day(r.expiresAt),
    r.revokedAt === undefined ? 'active' : `revoked ${day(r.revokedAt)}`,
  ]);
  for (const line of columns([['ID', 'TENANT', 'AGENT', 'HUMAN', 'TAGS', 'CREATED', 'EXPIRES', 'STATE'], ...rows]))
    print(line);
}
