import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { cashierOf } from '../../compose.ts';
import { readSource, type SourceFile } from '../../domain/source.ts';
import { readYamlFiles } from '../../main.ts';
import type { Cashier } from '../../price/cashier.ts';
import { isToolFile } from '../../price/compile-tools.ts';
import { checkForm } from '../../price/form-problems.ts';
import { checkPriceFile } from '../../price/mistakes.ts';
import type { PriceFile } from '../../price/schema.ts';
import { TOOL_FILE_KEYS, type ToolFileEntry, toolFile } from '../../price/tool-schema.ts';
import { CommandFailure } from '../terminal.ts';

/** The price tables that came with this version. */
export const SHIPPED = resolve(import.meta.dirname, '../../../pricing');

export interface Tables {
  readonly cashier: Cashier;
  /** as written, tool prices left out */
  readonly files: readonly PriceFile[];
  readonly tools: readonly ToolFileEntry[];
}

/** Reads and compiles a folder of price tables. Throws a CommandFailure (1) with every mistake. */
export function readTables(folder: string): Tables {
  try {
    const sources = readYamlFiles(folder, /\.ya?ml$/);
    const cashier = cashierOf(sources);
    return {
      cashier,
      files: sources.filter(({ path }) => !isToolFile(path)).flatMap(asWritten),
      tools: sources.filter(({ path }) => isToolFile(path)).flatMap(toolsIn),
    };
  } catch (error) {
    throw new CommandFailure(1, error instanceof Error ? error.message : String(error));
  }
}

const asWritten = ({ path, text }: SourceFile): PriceFile[] => {
  const { file } = checkPriceFile(readSource(path, text));
  return file === undefined ? [] : [file];
};

const toolsIn = ({ path, text }: SourceFile): readonly ToolFileEntry[] =>
  checkForm(readSource(path, text), toolFile, TOOL_FILE_KEYS).value?.tools ?? [];

/** The text of a file a command was pointed at. Throws a CommandFailure (2) that names it. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(
      2,
      `\`${file}\` cannot be read: ${error instanceof Error ? error.message : 'unknown'}; name a file that exists`,
    );
  }
}
