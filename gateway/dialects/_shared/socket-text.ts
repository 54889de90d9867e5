const LINE_END = /\r\n|\n|\r/;
/** Stands between messages that take one message's place; no JSON text holds it (RFC 7464). */
export const MESSAGE_SEPARATOR = '\u001e';

/** A message of a socket as the server-sent event that would carry it, so that one reader serves both. */
export const asEvent = (message: string): string =>
  `${message
    .split(LINE_END)
    .map((line) => `data: ${line}`)
    .join('\n')}\n\n`;

/** The messages in events that `asEvent` made or a rewriter made of them. */
export const messagesIn = (events: string): string[] =>
  events
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) =>
      event
        .split('\n')
        .map((line) => line.replace(/^data: ?/, ''))
        .join('\n'),
    );
