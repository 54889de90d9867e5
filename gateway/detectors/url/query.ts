/** Names of query values that are long and random by design: signatures, cursors, states, click ids, digests. */
const KNOWN =
  /^(?:x-(?:amz|goog|oss|cos)-.*|amz-.*|utm_.*|q-(?:sign|ak).*|sig|signature|sign|policy|key-pair-id|expires|hmac|cursor|page_?token|next_?(?:page_?)?token|continuation(?:_?token)?|after|before|state|nonce|code|code_challenge|code_verifier|samlrequest|samlresponse|relaystate|id_token_hint|token|v|ver|version|rev|hash|md5|sha\d*|checksum|digest|integrity|etag|commit|ref|id|uuid|guid|list|ved|ei|sxsrf|gs_lcp|sca_esv|[a-z]{1,4}clid|gclsrc|_ga|_gl|mc_eid|trk|si|igsh)$/i;

const BASE64 = /^[A-Za-z0-9+/_-]{24,8192}={0,2}$/;

function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** True where the text is base64 of something that people can read. */
function hidesText(value: string): boolean {
  if (!BASE64.test(value)) return false;
  const plain = Buffer.from(value.slice(0, 512), 'base64').toString('latin1');
  return plain.length >= 16 && /^[\x20-\x7e\r\n\t]+$/.test(plain);
}

/** How sure it is that a query value carries data out: it hides text, is an encoded record, or is long and random under a name that explains nothing. */
export function carriesData(name: string, value: string): number | undefined {
  if (value.length < 24) return undefined;
  if (/^(?:%7b|\{)(?:%22|")/i.test(value)) return 0.8;
  if (
    (value.match(/%[0-9a-f]{2}/gi)?.length ?? 0) * 3 > value.length * 0.8 &&
    value.length >= 60 &&
    !/%[c-f]/i.test(value)
  )
    return 0.8;
  if (hidesText(value)) return 0.95;
  if (value.length < 40 || KNOWN.test(name)) return undefined;
  if (/^[0-9a-f]+$/i.test(value)) return /[a-f]/i.test(value) && /\d/.test(value) ? 0.6 : undefined;
  const random = /^[\w+/=%~-]+$/.test(value) && /[A-Z]/.test(value) && /[a-z]/.test(value) && /\d/.test(value);
  return random && entropy(value) >= 4.3 ? 0.7 : undefined;
}
