import { setTimeout } from 'node:timers/promises';
import { detectors as allDetectors } from '../../gateway/detectors/_all.ts';
import { openaiRealtime } from '../../gateway/dialects/openai-realtime.ts';
import { Noses } from '../../gateway/pipeline/detect.ts';
import type { Gateway } from '../../gateway/pipeline/gateway.ts';
import { carrySocket } from '../../gateway/pipeline/socket-exchange.ts';
import type { SocketEnd, SocketEnding, SocketMessage } from '../../gateway/ports/socket.ts';
import type { SocketDialect } from '../../gateway/ports/socket-language.ts';
import type { Event } from '../support/socket-upstream.ts';
import { fakeReply, type Rig, rig } from './rig.ts';
import type { Saboteur } from './sabotage.ts';

/** The key that the rig knows. */
const KEY = ['tg_', 'k'.repeat(40)].join('');

/** Both sides of a connection in memory: what the gate holds, and what plays the other side. */
interface Wire {
  readonly end: SocketEnd;
  readonly sent: string[];
  say(event: Event): void;
  leave(ending: SocketEnding): void;
  readonly closed: () => SocketEnding | undefined;
}

function wire(onSent: (event: Event, wire: Wire) => void): Wire {
  const queue: SocketMessage[] = [];
  const sent: string[] = [];
  let ending: SocketEnding | undefined;
  let wake = (): void => undefined;
  const over = Promise.withResolvers<SocketEnding>();
  const finish = (how: SocketEnding): void => {
    ending ??= how;
    over.resolve(ending);
    wake();
  };
  const made: Wire = {
    sent,
    closed: () => ending,
    say: (event) => {
      queue.push({ bytes: Buffer.from(JSON.stringify(event)), binary: false });
      wake();
    },
    leave: finish,
    end: {
      closed: over.promise,
      messages: {
        async *[Symbol.asyncIterator]() {
          for (;;) {
            const message = queue.shift();
            if (message) yield message;
            else if (ending) return;
            else await new Promise<void>((resolve) => (wake = resolve));
          }
        },
      },
      send(text) {
        if (ending) return undefined;
        sent.push(Buffer.from(text).toString());
        onSent(JSON.parse(sent.at(-1) as string) as Event, made);
        return undefined;
      },
      close: (code, reason) => finish({ code, reason }),
      cut: () => finish({ code: 1006, reason: '' }),
    },
  };
  return made;
}

export interface SocketPlay {
  readonly rig: Rig;
  readonly client: Wire;
  readonly provider: Wire;
  readonly thrown: unknown;
}

export interface SocketScene {
  readonly name: string;
  /** what the client says once it is in */
  readonly says: readonly Event[];
  /** what the provider answers to each request for a response, in turn */
  readonly answers: readonly (readonly Event[])[];
  /** the client leaves when this many events of this type came, or an error */
  readonly until: { readonly type: string; readonly count: number };
  readonly limit?: bigint;
}

/** Plays one scene through the whole corridor of a socket, over sabotaged ports; the caller closes the rig. */
export async function playSocket(scene: SocketScene, saboteur: Saboteur): Promise<SocketPlay> {
  const stage = await rig({
    saboteur,
    ...(scene.limit !== undefined && { limit: scene.limit }),
    send: () => Promise.reject(new Error('no HTTP here')),
  });
  let turn = 0;
  let seen = 0;
  const provider = wire((event, self) => {
    if (event.type !== 'response.create') return;
    stage.journal.push('asked');
    for (const one of scene.answers[turn] ?? []) self.say(one);
    turn += 1;
  });
  const client = wire((event, self) => {
    if (event.type === scene.until.type) seen += 1;
    if (seen >= scene.until.count || event.type === 'error') self.leave({ code: 1000, reason: '' });
  });
  const gone = new AbortController();
  const { reply } = fakeReply(gone);
  const gate = withRealtime(stage.gate, saboteur);
  let thrown: unknown;
  const carried = carrySocket(
    {
      gate: () => gate,
      noses: new Noses(new Map(allDetectors.map((d) => [d.name, d])), gate.log),
      sockets: { connect: () => saboteurs(saboteur, provider.end) },
    },
    {
      arrival: {
        method: 'GET',
        url: '/openai/v1/realtime?model=gpt-realtime',
        headers: { authorization: `Bearer ${KEY}` },
        ip: '127.0.0.1',
      },
      reply,
      accept: async () => {
        for (const event of scene.says) client.say(event);
        return client.end;
      },
      draining: new AbortController().signal,
      closing: new AbortController().signal,
    },
  ).catch((error: unknown) => {
    thrown = error;
  });
  const patience = new AbortController();
  await Promise.race([carried, setTimeout(100, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
  client.leave({ code: 1006, reason: 'enough' });
  await carried;
  return { rig: stage, client, provider, thrown };
}

async function saboteurs(saboteur: Saboteur, end: SocketEnd) {
  await saboteur.call('connect', 'connect', true, async () => undefined);
  return { open: end, protocol: '' };
}

/** The gate with one upstream that speaks the realtime language, its sessions sabotaged too. */
function withRealtime(gate: Gateway, saboteur: Saboteur): Gateway {
  const { socket } = openaiRealtime;
  const dialect: SocketDialect = {
    ...openaiRealtime,
    socket: { ...socket, open: (path) => saboteur.wrap('session', socket.open(path)) },
  };
  const openai = gate.destinations.get('openai');
  if (!openai) throw new Error('the rig has no such upstream');
  return { ...gate, destinations: new Map([['openai', { ...openai, dialects: [dialect] }]]) };
}
