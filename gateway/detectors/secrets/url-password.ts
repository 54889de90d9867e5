import { isPlaceholder } from './placeholder.ts';
import type { SecretRule, Sighting } from './rule.ts';

const LOGIN =
  /:\/\/([^\s:/?#@"'`<>{}[\](),\\\u0080-\uffff]{0,100}):([^\s:/?#@"'`<>{}[\](),\\\u0080-\uffff]{3,200})(?=@)/y;

/** The password of `scheme://user:password@host` (RFC 3986 section 3.2.1), in URLs and connection strings. */
export const URL_PASSWORD: SecretRule = {
  kind: 'url_password',
  anchors: ['://'],
  reach: 'run',
  find(text, start): Sighting | undefined {
    if (!/[a-z0-9]/i.test(text.charAt(start - 1))) return undefined;
    LOGIN.lastIndex = start;
    const match = LOGIN.exec(text);
    if (match === null) return undefined;
    const [whole, user = '', password = ''] = match;
    if (password === user || isPlaceholder(password) || /^\$[A-Z_]+$/i.test(password)) return undefined;
    const end = start + whole.length;
    return { start: end - password.length, end, confidence: 0.85 };
  },
};
