import type { Sighting } from './digit-look.ts';

const LONGEST_LOCAL = 64;
const DOMAIN = /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}-])/uy;
/** ends of file names that look like top-level domains: `icon@2x.png` */
const FILE_END =
  /\.(?:png|jpe?g|gif|svg|webp|avif|ico|css|js|mjs|cjs|ts|tsx|jsx|json|html?|xml|ya?ml|toml|lock|log|txt|md|py|rb|go|rs|java|php|pdf|zip|gz)$/i;
const OBFUSCATED =
  /(?<=^|[\s"'(<>:,;])([\w.+-]{1,64}) ?[[(](?:at|ät)[\])] ?([\w-]{1,63}(?: ?(?:[[(](?:dot|punkt|punto)[\])]|\.) ?[\w-]{1,63}){0,3} ?(?:[[(](?:dot|punkt|punto)[\])]|\.) ?[a-z]{2,24})\b/gi;

const isLocal = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 48 && code <= 57) ||
  (code >= 64 && code <= 90 && code !== 64) ||
  code === 46 ||
  code === 95 ||
  code === 43 ||
  code === 45 ||
  code === 39 ||
  code === 37 ||
  (code >= 0xc0 && code < 0x530 && code !== 0xd7 && code !== 0xf7);

/** The address around the `@` at `at`. */
function around(text: string, at: number): Sighting | undefined {
  const least = Math.max(0, at - LONGEST_LOCAL);
  let start = at;
  while (start > least && isLocal(text.charCodeAt(start - 1))) start -= 1;
  while (start < at && /['.%-]/.test(text.charAt(start))) start += 1;
  if (start === at || text.charAt(at - 1) === '.') return undefined;
  DOMAIN.lastIndex = at + 1;
  const domain = DOMAIN.exec(text)?.[0];
  if (domain === undefined || FILE_END.test(domain)) return undefined;
  const end = at + 1 + domain.length;
  const before = text.charAt(start - 1);
  if (before === '@' || (before === '/' && text.charAt(start - 2) === '/')) return undefined;
  if (before === ':' && /\/\/[^\s/]{0,64}$/.test(text.slice(Math.max(0, start - 68), start))) return undefined;
  if (text.slice(start, at) === 'git' && text.charAt(end) === ':') return undefined;
  return { kind: 'email', start, end, confidence: 0.95 };
}

/** E-mail addresses (RFC 5321, RFC 6531), also `name [at] host [dot] tld`; not logins of URLs and not file names. */
export function emails(text: string, onSighting: (sighting: Sighting) => void): void {
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const sighting = around(text, at);
    if (sighting !== undefined) onSighting(sighting);
  }
  if (!/[[(](?:at|ät)[\])]/i.test(text)) return;
  for (const match of text.matchAll(OBFUSCATED)) {
    onSighting({ kind: 'email', start: match.index, end: match.index + match[0].length, confidence: 0.8 });
  }
}
