import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { checkCommand } from './check.ts';
import { explainCommand } from './explain.ts';
import { haltsCommand } from './halts.ts';
import { keysCommand } from './keys.ts';
import { mcpCommand } from './mcp.ts';
import { priceCommand } from './price.ts';
import { reconcileCommand } from './reconcile.ts';
import { runsCommand } from './runs.ts';
import { serveCommand } from './serve.ts';
import { tailCommand } from './tail.ts';
import { CommandFailure } from './terminal.ts';
import { testCommand } from './test.ts';
import { verifyCommand } from './verify.ts';

function version(): string {
  const file = [new URL('../../package.json', import.meta.url), new URL('../package.json', import.meta.url)];
  for (const url of file) {
    try {
      return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}

/** The command line. Exit codes: 0 done, 1 the thing asked about is wrong, 2 it was asked wrongly. */
export function createProgram(): Command {
  const program = new Command('tollgate')
    .description(
      'the gate in the call path of AI agents: every call identified, policy-checked, priced and recorded before it happens',
    )
    .version(version())
    .showHelpAfterError('run with --help for what this takes')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  for (const command of [
    serveCommand(),
    tailCommand(),
    runsCommand(),
    explainCommand(),
    checkCommand(),
    testCommand(),
    priceCommand(),
    reconcileCommand(),
    keysCommand(),
    haltsCommand(),
    mcpCommand(),
    verifyCommand(),
  ]) {
    program.addCommand(command.exitOverride());
  }
  return program;
}

/** Runs one command and sets the exit code; never throws. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else if (error instanceof CommandFailure) {
      if (error.message) console.error(error.message);
      process.exitCode = error.exitCode;
    } else {
      console.error(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    }
  }
}
