import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A way to a server that can lose what comes back: the other side did its work and nobody hears of it. */
export interface LossyLink {
  readonly port: number;
  /** From now on replies are swallowed; with `cut` the connection then breaks too. */
  lose(how: 'silently' | 'cut'): void;
  /** The next reply is swallowed and its connection breaks; after that everything passes. */
  loseNext(): void;
  /** From now on nothing goes out and nothing comes in, connections stay open. */
  partition(): void;
  /** What the connections of now have to say is held back; new connections pass. */
  delay(): void;
  /** Everything passes again; what a partition held back goes out late, as a network would. */
  heal(): void;
  close(): Promise<void>;
}

export async function startLossyLink(to: number): Promise<LossyLink> {
  let mode: 'pass' | 'silently' | 'cut' | 'cut once' | 'partition' = 'pass';
  const sockets = new Set<Socket>();
  const late: (() => void)[] = [];
  const delayed = new WeakSet<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        // what was sent before the break still arrives
        if (socket === near && !delayed.has(far)) far.end();
      });
    }
    near.on('data', (bytes) => {
      if (mode === 'partition' || delayed.has(far)) late.push(() => far.write(bytes));
      else far.write(bytes);
    });
    far.on('data', (bytes) => {
      if (mode === 'pass' && !delayed.has(far)) near.write(bytes);
      if (mode === 'cut' || mode === 'cut once') near.destroy();
      if (mode === 'cut once') mode = 'pass';
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    lose: (how) => {
      mode = how;
    },
    loseNext: () => {
      mode = 'cut once';
    },
    partition: () => {
      mode = 'partition';
    },
    delay() {
      for (const socket of sockets) delayed.add(socket);
    },
    heal() {
      mode = 'pass';
      for (const send of late.splice(0)) send();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
