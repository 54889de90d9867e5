import type { JsonText } from '../../domain/json.ts';
import type { Headers, Reading } from '../../ports/dialect.ts';
import { countReading } from '../_shared/token-count.ts';
import { optionalObject } from './field.ts';
import { readContents } from './read-request.ts';
import { routeOf } from './route.ts';

/** What a countTokens request would have read: `contents`, or a whole request (https://ai.google.dev/api/tokens). Free of charge. */
export function readCount(doc: JsonText, bytes: number, headers: Headers, path: string | undefined): Reading {
  const route = routeOf(path, headers);
  const inner = optionalObject(doc.value, 'generateContentRequest', '');
  if (inner === undefined) return countReading(readContents(doc, bytes, headers, route));
  const text = JSON.stringify(inner.value);
  const reading = countReading(readContents({ text, value: inner.value }, bytes, headers, route));
  const none = { parts: [], input: undefined, results: [], messages: [], issuedIds: [] };
  return { ...reading, ...none, doc, members: [{ at: `/${inner.name}`, name: `\`${inner.name}\``, reading }] };
}
