import { hash } from 'node:crypto';
import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type Json, type JsonObject } from '../../domain/json.ts';
import type { Envelope, Headers } from '../../ports/dialect.ts';
import { boundaryOf, type Form, type FormPart, locateParts } from './form-parts.ts';
import { soundSeconds } from './sound-length.ts';

const LONGEST_TEXT = 1024 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const bad = (message: string): Fault => new Fault('TG_BAD_REQUEST', message);

/**
 * A form as a document: text fields as strings, files as what is known about them, names that end in `[]` as lists. Undefined where
 * the body is no form. Two readers have to agree on it, the platform's own and the one that finds what may be edited; throws a Fault
 * (`TG_BAD_REQUEST`) where they do not.
 */
export async function formEnvelope(body: Uint8Array, headers: Headers): Promise<Envelope | undefined> {
  const type = headers['content-type'];
  if (typeof type !== 'string' || !/^multipart\//i.test(type)) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const form = locateParts(bytes, boundaryOf(type));
  await mustAgree(bytes, type, form);
  const view = viewOf(bytes, form);
  return { json: JSON.stringify(view), encode: (json) => encode(bytes, form, view, JSON.parse(json) as JsonObject) };
}

/** What the platform's parser makes of the body must be what was found. */
async function mustAgree(body: Buffer, type: string, { parts }: Form): Promise<void> {
  let read: [string, string | File][];
  try {
    read = [...(await new Response(body, { headers: { 'content-type': type } }).formData())];
  } catch (error) {
    throw new Fault('TG_BAD_REQUEST', 'the form cannot be accepted: it is malformed', error);
  }
  const same =
    read.length === parts.length &&
    parts.every((part, i) => {
      const [name, value] = read[i] as [string, string | File];
      if (name !== part.name) return false;
      if (typeof value !== 'string') return part.filename !== undefined && value.size === part.end - part.start;
      return part.filename === undefined && Buffer.from(value).equals(body.subarray(part.start, part.end));
    });
  if (!same) throw bad('the form cannot be accepted: it can be read in two ways; send it as the official clients do');
}

function textOf(body: Buffer, { name, start, end }: FormPart): string {
  if (end - start > LONGEST_TEXT) throw bad(`field \`${name}\` of the form is longer than ${LONGEST_TEXT} bytes`);
  try {
    return utf8.decode(body.subarray(start, end));
  } catch (error) {
    throw new Fault('TG_BAD_REQUEST', `field \`${name}\` of the form is not valid UTF-8`, error);
  }
}

function fileOf(body: Buffer, { filename = '', type = '', start, end }: FormPart): Json {
  const content = body.subarray(start, end);
  const known = { filename, content_type: type, bytes: content.length, sha256: hash('sha256', content, 'hex') };
  return /^(?:audio|video)\//i.test(type) || /\.(?:flac|m4a|mp3|mp4|mpeg|mpga|oga|ogg|wav|webm)$/i.test(filename)
    ? { ...known, seconds: soundSeconds(content) }
    : known;
}

function viewOf(body: Buffer, { parts }: Form): JsonObject {
  const view: Record<string, Json> = {};
  for (const part of parts) {
    const value = part.filename === undefined ? textOf(body, part) : fileOf(body, part);
    const known = view[part.name];
    if (part.name.endsWith('[]')) view[part.name] = [...(isArray(known) ? known : []), value];
    else if (known === undefined) view[part.name] = value;
    else throw bad(`field \`${part.name}\` stands twice in the form; send it once`);
  }
  return view;
}

const cannotLand = (name: string): Fault =>
  new Fault(
    'TG_POLICY_DENIED',
    `tollgate denied the request: an edit of \`${name}\` cannot land in a form`,
    undefined,
    {
      reason: 'runtime_error:transform_failed',
    },
  );

/** The form with the changed texts in it; files and everything else stay byte for byte. Throws a Fault where a change cannot land. */
function encode(body: Buffer, form: Form, before: JsonObject, after: JsonObject): Uint8Array {
  const { parts, boundary, close } = form;
  const pieces: Uint8Array[] = [];
  const seen = new Map<string, number>();
  for (const part of parts) {
    const index = seen.get(part.name) ?? 0;
    seen.set(part.name, index + 1);
    const [old, now] = [at(before, part.name, index), at(after, part.name, index)];
    if (now === undefined && !isObject(old) && !part.name.endsWith('[]')) continue;
    if (isObject(old) || isObject(now) || isArray(now) || now === undefined || now === null) {
      if (JSON.stringify(old) !== JSON.stringify(now)) throw cannotLand(part.name);
      pieces.push(body.subarray(part.from, part.end + 2));
    } else if (old === now) pieces.push(body.subarray(part.from, part.end + 2));
    else pieces.push(body.subarray(part.from, part.start), content(part.name, now, boundary), CRLF);
  }
  for (const [name, value] of Object.entries(after)) {
    if (isArray(value) && value.length !== (seen.get(name) ?? 0)) throw cannotLand(name);
    if (seen.has(name)) continue;
    if (typeof value === 'object' || !/^[A-Za-z0-9_.-]{1,64}$/.test(name)) throw cannotLand(name);
    const head = Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`);
    pieces.push(head, content(name, value, boundary), CRLF);
  }
  return Buffer.concat([...pieces, body.subarray(close)]);
}

const CRLF = Buffer.from('\r\n');

function at(view: JsonObject, name: string, index: number): Json | undefined {
  const value = Object.hasOwn(view, name) ? view[name] : undefined;
  return name.endsWith('[]') && isArray(value) ? value[index] : value;
}

function content(name: string, value: string | number | boolean, boundary: string): Uint8Array {
  const bytes = Buffer.from(String(value));
  if (bytes.includes(`--${boundary}`)) throw cannotLand(name);
  return bytes;
}
