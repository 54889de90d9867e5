import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Callers that may wait to be accepted: agents come in bursts. The system's own limit still holds. */
const BACKLOG = 4096;

/** Starts listening; resolves with the address it got (port 0: any free one). Rejects with a message that names the address. */
export function listen(server: Server, host: string, port: number): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'another program is listening there; stop it or choose another port'
          : error.message;
      reject(new Error(`cannot listen on \`${host}:${port}\`: ${why}`));
    });
    server.listen({ port, host, backlog: BACKLOG }, () => {
      const address = server.address() as AddressInfo;
      resolve({ host: address.address, port: address.port });
    });
  });
}
