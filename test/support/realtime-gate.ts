import { startTestGate, type TestGate } from './gate.ts';
import { openClient, type RawClient } from './socket-client.ts';
import {
  type Event,
  type ProviderSocket,
  type SocketScript,
  type SocketUpstream,
  sessionCreated,
  startSocketUpstream,
} from './socket-upstream.ts';

export interface RealtimeSetup extends SocketScript {
  readonly policy?: string;
  readonly config?: Record<string, unknown>;
  readonly credential?: unknown;
  readonly dialects?: string[];
}

/** A gate before a simulated provider of sockets. */
export class RealtimeGate {
  readonly gate: TestGate;
  readonly upstream: SocketUpstream;

  constructor(gate: TestGate, upstream: SocketUpstream) {
    this.gate = gate;
    this.upstream = upstream;
  }

  provider(at = 0): ProviderSocket {
    return this.upstream.sockets[at] as ProviderSocket;
  }

  /** A raw client of a realtime socket. */
  client(run = 'r', headers: Record<string, string> = {}): Promise<RawClient> {
    return openClient(`${this.gate.url}/run/${run}/openai/v1/realtime?model=gpt-realtime`, {
      authorization: 'Bearer sk-own',
      ...headers,
    });
  }

  /** Waits for so many receipts and returns those of responses. */
  async responses(count: number) {
    return (await this.gate.sealed(count)).filter(({ status }) => status !== 101);
  }

  async remove(): Promise<void> {
    await this.gate.remove();
    await this.upstream.close();
  }
}

/** A provider that opens its session and answers every request for a response with one of `answers`, in turn. */
export async function openRealtime(
  { policy, config, credential, dialects, ...script }: RealtimeSetup = {},
  answers: readonly (readonly Event[])[] = [],
): Promise<RealtimeGate> {
  let turn = 0;
  const upstream = await startSocketUpstream({
    onOpen: (provider) => provider.say(sessionCreated()),
    onEvent: (provider, event) => {
      if (event.type !== 'response.create') return;
      for (const one of answers[turn] ?? []) provider.say(one);
      turn += 1;
    },
    ...script,
  });
  const gate = await startTestGate({
    ...(policy !== undefined && { policy }),
    upstreams: {
      openai: {
        base_url: upstream.url,
        dialects: dialects ?? ['openai-realtime', 'openai-responses', 'openai-chat'],
        ...(credential !== undefined && { credential }),
      },
    },
    config: { limits: { shutdown_s: 0 }, ...config },
  });
  return new RealtimeGate(gate, upstream);
}

/** An item of the user's. */
export const userItem = (text: string): Event => ({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
});
