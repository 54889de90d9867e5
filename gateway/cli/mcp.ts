import { Command } from 'commander';
import { mcpPinsCommand } from './mcp-pins.ts';

/** `tollgate mcp`: the MCP servers behind the gate. */
export function mcpCommand(): Command {
  const command = new Command('mcp').description('the MCP servers behind the gate: pins');
  for (const sub of [mcpPinsCommand()]) command.addCommand(sub.exitOverride());
  return command;
}
