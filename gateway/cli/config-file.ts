import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { ConfigFault, type LoadedConfig, loadConfig } from '../config/load.ts';
import { CommandFailure } from './terminal.ts';

export const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration').default('tollgate.yaml');
export const jsonOption = (): Option => new Option('--json', 'machine-readable output');

/** The text of the configuration a command was pointed at. Throws a CommandFailure where it cannot be read. */
export function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(
      2,
      `\`${file}\` cannot be read: ${error instanceof Error ? error.message : 'unknown'}; name a configuration with --config`,
    );
  }
}

/** Loads the configuration a command was pointed at. Throws a CommandFailure with every mistake in it. */
export function configAt(file: string): LoadedConfig {
  const text = readConfig(file);
  try {
    return loadConfig(file, text, process.env);
  } catch (error) {
    if (error instanceof ConfigFault) throw new CommandFailure(1, error.message);
    throw error;
  }
}
