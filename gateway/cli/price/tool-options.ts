import { type Command, InvalidArgumentError } from 'commander';
import { isObject, type Json } from '../../domain/json.ts';
import { nanoToUsd, picoToUsd } from '../../domain/money.ts';
import type { EpochMs } from '../../domain/scalars.ts';
import type { Cashier } from '../../price/cashier.ts';
import { CommandFailure, columns, print } from '../terminal.ts';

/** What `tollgate price --tool` is asked about. */
export interface ToolOptions {
  readonly tool?: string;
  readonly server?: string;
  readonly args?: Json;
  readonly result?: Json;
}

function json(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new InvalidArgumentError('a JSON value is needed, such as \'{"pages":3}\'.');
  }
}

/** Adds the options that ask for a tool's price instead of a model's. */
export const toolOptions = (command: Command): Command =>
  command
    .option('--tool <name>', 'a tool, instead of a model: what a call of it costs')
    .option('--server <name>', 'the MCP server the tool is on')
    .option('--args <json>', 'the arguments of the call', json)
    .option('--result <json>', 'its result; without it: what it can cost at most, before it runs', json);

/** Says what a call of a tool costs, line by line. Throws a CommandFailure (1) where nobody wrote a price. */
export function explainTool(cashier: Cashier, tool: string, options: ToolOptions, at: EpochMs, asJson: boolean): void {
  const { server, args = {}, result } = options;
  const failed = isObject(result) && result['isError'] === true;
  const price =
    result === undefined
      ? cashier.tool(server, tool, args, at)
      : cashier.toolCost(server, tool, args, { result, failed }, at);
  if (price === undefined)
    throw new CommandFailure(
      1,
      `no price is known for tool \`${server === undefined ? '' : `${server}/`}${tool}\`; add it to \`tools.yaml\`, free ones as a written "0"`,
    );
  const lines = price.lines.map(({ leaf, count, amount }) => ({
    unit: leaf.slice('fee:'.length),
    count,
    usd: picoToUsd(amount),
  }));
  const { status, bounded } = price;
  const name = price.lines[0]?.model ?? tool;
  if (asJson)
    return print({ tool: name, status, bounded, cost_usd: nanoToUsd(price.amount), lines, table: cashier.digest });
  const most = result === undefined ? ', before it runs' : '';
  print(`${name}: $${nanoToUsd(price.amount)} (${status}${most})`);
  for (const line of columns(
    lines.map((l) => [`  ${l.unit}`, String(l.count), `$${l.usd}`]),
    [1, 2],
  ))
    print(line);
  if (!bounded) print('  a unit that is not known yet has no `max`: it comes on top');
}
