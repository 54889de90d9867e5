import { Fault } from '../domain/fault.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** A reply that is text alone, as the document that is read and judged. Throws a Fault where it is no UTF-8. */
export function wrapText(bytes: Uint8Array): Uint8Array {
  try {
    return encoder.encode(JSON.stringify({ text: utf8.decode(bytes) }));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the answer of the upstream is not valid UTF-8', error);
  }
}

/** The text of such a document, as it was judged. */
export const textIn = (doc: Uint8Array): Uint8Array =>
  encoder.encode((JSON.parse(utf8.decode(doc)) as { readonly text: string }).text);
