import { Command } from 'commander';
import { hint } from '../domain/nearest.ts';
import { visibleText } from '../domain/visible-text.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { type Probed, type ProbedTool, probeServer } from './probe-server.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options {
  config: string;
  json?: boolean;
}

/** `tollgate mcp test`: reaches one server of the configuration as the gate would, and says what it offers and whether that is approved. */
export function mcpTestCommand(): Command {
  return new Command('test')
    .description('reach a server of the configuration, list its tools, and say whether each is approved')
    .argument('<name>', 'a server of the configuration; nothing else can be started from here')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(test);
}

async function test(name: string, options: Options): Promise<void> {
  const config = configAt(options.config);
  const known = Object.keys(config.mcp?.servers ?? {});
  if (!known.includes(name))
    throw new CommandFailure(1, `\`${options.config}\` has no server \`${visibleText(name)}\`${hint(name, known)}`);
  const probed = await probeServer(config, name);
  // the lock file and the answer come from elsewhere: what nobody would see stands as an escape
  if (options.json) print(visibleText(JSON.stringify({ server: name, ...probed })));
  else for (const line of shown(name, probed)) print(line);
  if (probed.error !== undefined) throw new CommandFailure(1, '');
}

const whatToDo = (name: string, tools: readonly ProbedTool[]): string[] => {
  const open = tools.filter(({ standing }) => standing !== 'approved').length;
  if (open === 0) return [];
  return [
    '',
    `${open} of ${tools.length} tools are not approved; let a client ask a running gate, then: tollgate mcp pins list ${name} --diff`,
  ];
};

function shown(name: string, { error, version, says, ms, tools }: Probed): string[] {
  if (error !== undefined) return [`\`${name}\` cannot be used: ${visibleText(error)}`];
  const rows = tools.map((t) => [visibleText(t.name), t.standing, visibleText(t.why)]);
  return [
    `\`${name}\` answers in ${ms} ms, revision ${visibleText(version ?? 'unknown')}${says ? `; it calls itself ${visibleText(says)}` : ''}`,
    ...columns([['TOOL', 'STANDING', 'WHY'], ...rows]),
    ...whatToDo(name, tools),
  ];
}
