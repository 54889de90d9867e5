import type { Link, LinkEvents } from '../mcp-session/link.ts';
import { lineOf } from '../mcp-session/rpc-message.ts';
import { type Child, startChild } from './child.ts';
import { serverLog } from './server-log.ts';
import type { StdioSettings } from './settings.ts';

/** Starts the configured process and speaks with it in lines. Throws a Fault (`TG_UPSTREAM_UNREACHABLE`) where it cannot be started. */
export async function openProcessLink(settings: StdioSettings, events: LinkEvents): Promise<Link> {
  const log = serverLog({ ...settings, server: settings.name, secrets: Object.values(settings.command.env) });
  const child = await startChild(settings.command, settings.messageBytes, {
    line: events.message,
    tooLong: events.tooLong,
    stderr: log.push,
    gone(how) {
      log.end();
      events.gone(how);
    },
  });
  return new ProcessLink(child);
}

class ProcessLink implements Link {
  readonly #child: Child;

  constructor(child: Child) {
    this.#child = child;
  }

  get alive(): boolean {
    return this.#child.alive;
  }

  send(text: string): ReturnType<Link['send']> {
    return this.#child.write(lineOf(text));
  }

  pause(): void {
    this.#child.pause();
  }

  resume(): void {
    this.#child.resume();
  }

  end(): ReturnType<Link['end']> {
    return this.#child.end();
  }
}
