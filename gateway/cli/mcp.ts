import { Command } from 'commander';
import { mcpAddCommand } from './mcp-add.ts';
import { mcpConfigCommand } from './mcp-config.ts';
import { mcpListCommand } from './mcp-list.ts';
import { mcpPinsCommand } from './mcp-pins.ts';
import { mcpTestCommand } from './mcp-test.ts';

/** `tollgate mcp`: the MCP servers behind the gate. */
export function mcpCommand(): Command {
  const command = new Command('mcp').description('the MCP servers behind the gate: add, list, test, config, pins');
  const subs = [mcpAddCommand(), mcpListCommand(), mcpTestCommand(), mcpConfigCommand(), mcpPinsCommand()];
  for (const sub of subs) command.addCommand(sub.exitOverride());
  return command;
}
