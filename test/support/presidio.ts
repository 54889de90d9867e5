import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from './upstream.ts';

/** How an analyzer answers about a text. */
export type Mood = (text: string, response: ServerResponse) => void;

export interface TestPresidio {
  readonly url: string;
  /** every text it was asked about, in order */
  readonly asked: string[];
  mood: Mood;
  close(): Promise<void>;
}

/** Finds every `Anna`, as Presidio would, in characters. */
const findsAnna: Mood = (text, response) => {
  const characters = [...text];
  const found = characters.flatMap((_, i) =>
    characters.slice(i, i + 4).join('') === 'Anna'
      ? [{ entity_type: 'PERSON', start: i, end: i + 4, score: 0.85 }]
      : [],
  );
  json(response, 200, found);
};

/** A Presidio analyzer over a real socket, in the mood that the test sets. */
export async function startPresidio(): Promise<TestPresidio> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (c: Buffer) => {
      body += c;
    });
    request.on('end', () => {
      const { text } = JSON.parse(body) as { text: string };
      asked.push(text);
      presidio.mood(text, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const presidio: TestPresidio = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/analyze`,
    asked,
    mood: findsAnna,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return presidio;
}
