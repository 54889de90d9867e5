import { renameSync, statSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { ConfigFault, type LoadedConfig, loadConfig } from '../config/load.ts';
import { visibleText } from '../domain/visible-text.ts';
import { configOption, jsonOption, readConfig } from './config-file.ts';
import { hasServer, withServer } from './mcp-section.ts';
import { CommandFailure, print } from './terminal.ts';

interface Options {
  config: string;
  url?: string;
  sse?: boolean;
  bearerEnv?: string;
  env?: string[];
  cwd?: string;
  json?: boolean;
}

/** `tollgate mcp add`: names one more server in the configuration; everything else in the file stays as it was written. */
export function mcpAddCommand(): Command {
  return new Command('add')
    .description('put a server into the configuration; comments and layout stay')
    .argument('<name>', 'lower case letters, digits and `-`; its tools are called <name>__<tool> on /mcp')
    .argument('[command...]', 'after `--`: the program the gate starts, with its arguments; no shell reads it')
    .addOption(configOption())
    .option('--url <url>', 'a server over streamable HTTP')
    .option('--sse', 'with --url: it speaks the transport of 2024-11-05')
    .option('--bearer-env <name>', 'with --url: the environment variable that holds the gate’s own token for it')
    .option(
      '--env <name=value...>',
      `with a command: a variable it is to see; \${NAME} is read from the gate’s environment`,
    )
    .option('--cwd <folder>', 'with a command: where it runs')
    .addOption(jsonOption())
    .action(add);
}

function add(name: string, command: string[], options: Options): void {
  const written = readConfig(options.config);
  if (hasServer(written, name))
    throw new CommandFailure(
      1,
      `\`${options.config}\` has a server \`${name}\` already; change it there, or take another name`,
    );
  const entry = entryOf(command, options);
  const text = withServer(written, name, entry);
  const config = checked(options.config, text);
  replaceFile(options.config, text);
  const at = `/mcp/${name}`;
  if (options.json) return print({ server: name, config: options.config, at, pins: config.mcp?.pins.mode });
  print(`added: \`${name}\` in \`${options.config}\`, served at ${at} once the gate is started again`);
  print(`look what it offers: tollgate mcp test ${name}`);
}

/** What stands behind the name in the file. Throws a CommandFailure (2) where the command line does not say one server. */
function entryOf(command: readonly string[], options: Options): Readonly<Record<string, unknown>> {
  const { url, sse, bearerEnv, env, cwd } = options;
  if ((url === undefined) === (command.length === 0))
    throw new CommandFailure(2, 'name either --url <url>, or a command after `--`');
  if (url === undefined) {
    if (sse || bearerEnv !== undefined) throw new CommandFailure(2, '--sse and --bearer-env belong to --url');
    return { command, ...(env && { env: variables(env) }), ...(cwd !== undefined && { cwd }) };
  }
  if (env || cwd !== undefined) throw new CommandFailure(2, '--env and --cwd belong to a command');
  return {
    url,
    ...(sse && { sse_legacy: true }),
    ...(bearerEnv !== undefined && { credential: { bearer: `\${${bearerEnv}}` } }),
  };
}

function variables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const cut = pair.indexOf('=');
      if (cut < 1) throw new CommandFailure(2, `--env \`${visibleText(pair)}\` is no NAME=VALUE`);
      return [pair.slice(0, cut), pair.slice(cut + 1)];
    }),
  );
}

/** The file as it would be, checked; its variables need not be set where a server is added. */
function checked(file: string, text: string): LoadedConfig {
  const named = text.matchAll(/\$\{([^}]*)\}/g);
  const unset = Object.fromEntries([...named].map(([, name]) => [name, 'unset']));
  try {
    return loadConfig(file, text, { ...unset, ...process.env });
  } catch (error) {
    if (error instanceof ConfigFault) throw new CommandFailure(1, `nothing was written: ${error.message}`);
    throw error;
  }
}

/** Whole or not at all: a gate that starts meanwhile reads the old file or the new one. */
function replaceFile(file: string, text: string): void {
  const beside = `${file}.${process.pid}.new`;
  writeFileSync(beside, text, { mode: statSync(file).mode, flag: 'wx' });
  renameSync(beside, file);
}
