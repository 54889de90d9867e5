import { entropy } from './checks.ts';
import { isPlaceholder } from './placeholder.ts';
import type { SecretRule, Sighting } from './rule.ts';

const PASSWORD_NAMES = ['password', 'passwd', 'passphrase', 'passcode', 'pwd'];
const SEPARATED = [
  'api key',
  'access key',
  'private key',
  'auth key',
  'signing key',
  'encryption key',
  'account key',
  'master key',
];
const KEY_NAMES = [
  ...['secret', 'token', 'credential'],
  ...SEPARATED.flatMap((name) => ['_', '-', ''].map((by) => name.replace(' ', by))),
];

/** A name that has a secret's word in it and holds something else: `next_page_token`, `secret_name`, `max_tokens`, `tokenizer`. */
const NO_SECRET =
  /tokens?(?:i[sz]|count|type|limit|usage|length|budget)|tokens$|(?:next|page|paging|pagination|cursor|continuation|continue|sync|max|min|total|prompt|completion|input|output|num|count|stop|eos|bos|pad|special|cancellation|delta|marker|csrf|xsrf|etag|cache)[_-]?tokens?|(?:public|publishable|foreign|primary)[_-]?key|(?:^|[_-]|[a-z](?=[A-Z]))(?:name|id|ids|path|file|url|uri|arn|ref|type|kind|version|policy|field|label|hint|host|endpoint|expir\w*|age|ttl|hash|digest|checksum|fingerprint|algorithm|length|status|source|manager|store)$/i;

const GAP = /(?:(?:\\?["'`]\]?)?[ \t]{0,8}(?:=>|:=|={1,3}|:)[ \t]{0,8}|>)((?:\\?["'`]){0,3})/y;
const VALUE = /[\w\-.~+/=%:@!#$^*?|]{8,200}/y;

const UUID = /^[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}$/i;
/** code, paths, addresses, dates, variables, digests by name: values that are not secrets whatever their name */
const NO_VALUE =
  /^\.{0,2}\/[\w.-]+\/|^~\/|:\/\/|^arn:|^data:|^\$\w+$|^%\w+%$|^\d{4}-\d\d-\d\d|^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$|^[a-z]+(?:[_.:/-][a-z]+\d{0,3})+$|^(?:sha\d+|md5|hash|secret)[:_-]|^[\w.-]+@[\w-]+\.\w+$/;

/** `<SECRET_1>`: a token that redaction left, not an XML element. */
const PLACE_OF_ANOTHER = /^[A-Z]+_\d+$/;

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

function passwordConfidence(value: string, quoted: boolean): number | undefined {
  const [letters, digits, symbols] = [count(value, /[A-Za-z]/g), count(value, /\d/g), count(value, /[^\w.:/-]/g)];
  if (letters === 0 || (digits === 0 && (symbols === 0 || !quoted))) return undefined;
  return quoted ? 0.7 : 0.6;
}

function keyConfidence(value: string, name: string): number | undefined {
  const [letters, digits] = [count(value, /[A-Za-z]/g), count(value, /\d/g)];
  if (value.length < 16 || letters === 0 || digits < 2 || entropy(value) < 3) return undefined;
  if (UUID.test(value) && !/secret|key|credential/i.test(name)) return undefined;
  return entropy(value) >= 3.7 ? 0.7 : 0.6;
}

const isNamePart = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 || code === 45;

/** The whole name around [start, end), 40 characters each way at most. */
function nameAround(text: string, start: number, end: number): { name: string; end: number; tag: boolean } {
  let [from, to] = [start, end];
  while (from > 0 && start - from < 40 && isNamePart(text.charCodeAt(from - 1))) from -= 1;
  while (to - end < 40 && isNamePart(text.charCodeAt(to))) to += 1;
  return { name: text.slice(from, to), end: to, tag: text.charAt(from - 1) === '<' };
}

type Judge = (value: string, name: string, quoted: boolean) => number | undefined;

function assignment(kind: string, anchors: readonly string[], judge: Judge): SecretRule {
  return {
    kind,
    anchors,
    reach: 'words',
    find(text, start, end): Sighting | undefined {
      const around = nameAround(text, start, end);
      GAP.lastIndex = around.end;
      const gap = GAP.exec(text);
      if (gap === null || NO_SECRET.test(around.name)) return undefined;
      VALUE.lastIndex = GAP.lastIndex;
      const value = VALUE.exec(text)?.[0].replace(/[.:!?]+$/, '') ?? '';
      const from = GAP.lastIndex;
      const next = text.charAt(from + value.length);
      if (gap[0] === '>' && (!around.tag || next !== '<' || PLACE_OF_ANOTHER.test(around.name))) return undefined;
      if (value.length < 8 || value.length >= 200 || next === '(' || next === '[' || next === '{') return undefined;
      if (isPlaceholder(value) || NO_VALUE.test(value)) return undefined;
      const confidence = judge(value, around.name, gap[1] !== '');
      return confidence === undefined ? undefined : { start: from, end: from + value.length, confidence };
    },
  };
}

/** Values that only their name gives away: `password = "…"`, `"clientSecret": "…"`, `API_KEY=…`. */
export const GENERIC: readonly SecretRule[] = [
  assignment('password', PASSWORD_NAMES, (value, _name, quoted) => passwordConfidence(value, quoted)),
  assignment('generic_key', KEY_NAMES, (value, name) => keyConfidence(value, name)),
];
