import type { Body } from './script.ts';

/** A request that the simulated provider refuses, with the field to blame. */
export class Refusal extends Error {
  readonly status: number;
  readonly param: string | null;
  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

export const isBody = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses a request body that must be a JSON object with a model and messages. Throws a Refusal (400). */
export function readBody(text: string): { readonly body: Body; readonly messages: readonly Body[] } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'We could not parse the JSON body of your request.');
  }
  if (!isBody(body)) throw new Refusal(400, 'The body of the request must be a JSON object.');
  if (typeof body['model'] !== 'string' || body['model'] === '')
    throw new Refusal(400, 'you must provide a model parameter', 'model');
  const { messages } = body;
  if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isBody))
    throw new Refusal(400, 'messages: a list with at least one message is required', 'messages');
  return { body, messages };
}

/** An optional whole number from 1. Throws a Refusal (400). */
export function capOf(body: Body, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1)
      throw new Refusal(400, `${name}: expected an integer of at least 1`, name);
    return value;
  }
  return undefined;
}

/** The text of a message's content: a string, or the text parts of a list. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .filter(isBody)
    .map((part) => (typeof part['text'] === 'string' ? part['text'] : ''))
    .join('');
}
