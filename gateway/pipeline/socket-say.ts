import type { Saying } from '../ports/dialect.ts';
import type { SocketEnd } from '../ports/socket.ts';
import type { Addressee } from '../ports/socket-language.ts';
import type { Line } from './socket-line.ts';

/** Says an error in the language of the socket. Never throws: where the language itself fails, nothing is said and it is logged. */
export async function sayError(line: Line, client: SocketEnd, saying: Saying, to: Addressee): Promise<void> {
  let text: string;
  try {
    text = line.session.error(saying, to);
  } catch (error) {
    line.gate().log.error({ error, code: saying.code }, 'an error could not be put into words');
    return;
  }
  await client.send(text);
}
