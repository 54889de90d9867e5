import { Fault } from '../../domain/fault.ts';

/** One part of a form and where its content stands in the body. */
export interface FormPart {
  readonly name: string;
  /** undefined: a text field */
  readonly filename: string | undefined;
  readonly type: string | undefined;
  /** where its delimiter line begins, and where content begins and ends */
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

export interface Form {
  readonly boundary: string;
  readonly parts: readonly FormPart[];
  /** where the closing delimiter begins */
  readonly close: number;
}

const MOST_PARTS = 64;
const LONGEST_HEAD = 4096;
const BOUNDARY = /^[A-Za-z0-9'()+_,./:=?-]{1,70}$/;
const NAME = /^[A-Za-z0-9_.[\]-]{1,64}$/;
const DISPOSITION = /^form-data; ?name="([^"\\]*)"(?:; ?filename="((?:[^"\\]|\\[^"])*)")?$/i;
/** How content may say it is written; anything else would be read differently by different servers. */
const ENCODINGS = /^(?:binary|8bit|7bit)$/i;

const bad = (why: string): Fault =>
  new Fault('TG_BAD_REQUEST', `the form cannot be accepted: ${why}; send it as the official clients do`);

/** The boundary that a content type names. Throws a Fault where it is no form. */
export function boundaryOf(contentType: string): string {
  const match = /^multipart\/form-data\s*;\s*boundary=(?:"([^"]+)"|([^\s;"]+))\s*$/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? '';
  if (!BOUNDARY.test(boundary)) throw bad('its `content-type` names no plain boundary');
  return boundary;
}

/**
 * Finds the parts of a multipart/form-data body (RFC 7578), strictly: no preamble, no epilogue, no header or parameter that servers
 * read differently. Throws a Fault (`TG_BAD_REQUEST`) that says what is not accepted.
 */
export function locateParts(body: Buffer, boundary: string): Form {
  const delimiter = Buffer.from(`--${boundary}`);
  const next = Buffer.from(`\r\n--${boundary}`);
  if (body.indexOf(delimiter) !== 0) throw bad('it does not begin with its boundary');
  const parts: FormPart[] = [];
  let from = 0;
  for (;;) {
    const line = from + delimiter.length;
    if (startsWith(body, line, '--')) {
      const rest = body.toString('latin1', line + 2);
      if (rest !== '' && rest !== '\r\n') throw bad('something follows its end');
      return { boundary, parts, close: from };
    }
    if (!startsWith(body, line, '\r\n')) throw bad('a boundary does not stand on a line of its own');
    if (parts.length >= MOST_PARTS) throw bad(`it has more than ${MOST_PARTS} parts`);
    const head = body.indexOf('\r\n\r\n', line);
    if (head === -1 || head - line > LONGEST_HEAD) throw bad('the head of a part does not end');
    const start = head + 4;
    // a part without content still has its own line break before the next boundary
    const end = body.indexOf(next, start);
    if (end === -1) throw bad('it does not end with its boundary');
    parts.push({ ...headOf(body.toString('utf8', line + 2, head)), from, start, end });
    from = end + 2;
  }
}

const startsWith = (body: Buffer, at: number, text: string): boolean =>
  body.toString('latin1', at, at + text.length) === text;

function headOf(text: string): Pick<FormPart, 'name' | 'filename' | 'type'> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const match = /^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (!match || /[\r\n\0]/.test(line)) throw bad('a part has a malformed header');
    const name = (match[1] as string).toLowerCase();
    if (fields.has(name)) throw bad(`a part has two headers \`${name}\``);
    fields.set(name, match[2] as string);
  }
  const [, name = '', filename] = DISPOSITION.exec(fields.get('content-disposition') ?? '') ?? [];
  if (!NAME.test(name) || name === '_charset_' || name === '__proto__')
    throw bad('a part has no plain name in its `content-disposition`');
  for (const [header, value] of fields) {
    const known = header === 'content-disposition' || header === 'content-type' || header === 'content-length';
    if (!known && !(header === 'content-transfer-encoding' && ENCODINGS.test(value)))
      throw bad(`part \`${name}\` has a header \`${header}\` that is not accepted`);
  }
  const type = fields.get('content-type');
  const charset = /charset=("?)([^\s;"]+)\1/i.exec(type ?? '')?.[2];
  if (filename === undefined && charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset))
    throw bad(`part \`${name}\` is not UTF-8`);
  return { name, filename, type };
}
