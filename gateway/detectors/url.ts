import type { Finding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import { withoutOverlap } from './_shared/without-overlap.ts';
import { type Candidate, eachCandidate, LONGEST_URL } from './url/candidates.ts';
import { hostKind } from './url/hosts.ts';
import { carriesData } from './url/query.ts';

const KINDS = ['credentials', 'dangerous_scheme', 'data_in_query', 'ip_literal', 'metadata', 'private', 'punycode'];

/** Schemes that read files, speak to other protocols through a fetcher, or run code. */
const DANGEROUS = new Set(
  'file gopher dict ldap ldaps tftp smb php phar zip expect netdoc jar javascript vbscript view-source'.split(' '),
);
const DATA_THAT_RUNS =
  /data:(?:text\/(?:html|javascript|xml|ecmascript)|application\/(?:x-)?(?:javascript|xhtml\+xml|ecmascript))[;,]/iy;
/** `file:///app/x.js:10:5`: a place in a stack trace, which opens nothing. */
const STACK_PLACE = /:\d+(?::\d+)?\)?$/;

const AUTHORITY = /\/\/([^/?#\\]{0,512})/y;
const TEMPLATE = /[${}<>]|%\w*%/;
const METADATA_NAME =
  /(?<![\w.:/@-])(?:169\.254\.169\.254|169\.254\.170\.2|100\.100\.100\.200|metadata\.google\.internal)(?![\w-]|\.[\w])/g;
const LOOK_BEHIND = LONGEST_URL;

const found = (kind: string, start: number, end: number, confidence: number): Finding => ({
  kind: `url.${kind}`,
  start,
  end,
  confidence,
});

function schemeFinding(text: string, scheme: string, { start, mark, end }: Candidate): Finding | undefined {
  if (scheme === 'data') {
    DATA_THAT_RUNS.lastIndex = start;
    return DATA_THAT_RUNS.test(text) ? found('dangerous_scheme', start, end, 0.9) : undefined;
  }
  if (!DANGEROUS.has(scheme)) return undefined;
  const rest = text.slice(mark + 1, end);
  if (scheme === 'file' && STACK_PLACE.test(rest)) return undefined;
  if (scheme === 'file' && /^\/\/[^/]*$/.test(rest)) return undefined;
  if ((scheme === 'javascript' || scheme === 'vbscript') && !/^[^(=]{1,200}[(=]/.test(rest)) return undefined;
  return found('dangerous_scheme', start, end, 0.9);
}

/** `user:password` or a lone token before the `@`. */
function credentials(login: string, at: number): Finding | undefined {
  if (login === '' || login.startsWith('[') || TEMPLATE.test(login)) return undefined;
  const colon = login.indexOf(':');
  const password = login.slice(colon + 1);
  const given = colon === -1 ? login.length >= 20 && /\d/.test(login) && /[A-Za-z]/.test(login) : password !== '';
  if (!given || /^[*.x]+$/i.test(password)) return undefined;
  return found('credentials', at, at + login.length, 0.9);
}

/** The host as a browser would read it; undefined where it is none. Schemes that WHATWG does not know are read as http. */
function normalHost(host: string): string | undefined {
  const url = URL.parse(`http://${host}/`);
  return url === null || url.hostname === '' ? undefined : url.hostname;
}

function authorityFindings(text: string, { mark, end }: Candidate, findings: Finding[]): void {
  AUTHORITY.lastIndex = mark + 1;
  const authority = AUTHORITY.exec(text)?.[1]?.slice(0, end - mark - 3) ?? '';
  const at = mark + 3;
  const login = authority.lastIndexOf('@');
  if (login !== -1) {
    const given = credentials(authority.slice(0, login), at);
    if (given !== undefined) findings.push(given);
  }
  const from = login + 1;
  const close = authority.startsWith('[', from) ? authority.indexOf(']', from) + 1 : 0;
  const colon = authority.indexOf(':', Math.max(from, close));
  const host = authority.slice(from, colon === -1 ? undefined : colon);
  if (host === '' || TEMPLATE.test(host)) return;
  const normal = normalHost(host);
  const verdict = normal === undefined ? undefined : hostKind(normal, host);
  if (verdict !== undefined) findings.push(found(verdict.kind, at + from, at + from + host.length, verdict.confidence));
}

function queryFindings(text: string, { mark, end }: Candidate, findings: Finding[]): void {
  const [address = ''] = text.slice(mark, end).split('#', 1);
  const question = address.indexOf('?');
  if (question === -1) return;
  let at = mark + question + 1;
  for (const pair of address.slice(question + 1).split('&')) {
    const equals = pair.indexOf('=');
    const value = pair.slice(equals + 1);
    const confidence = equals === -1 ? undefined : carriesData(pair.slice(0, equals), value);
    const start = at + equals + 1;
    if (confidence !== undefined) findings.push(found('data_in_query', start, start + value.length, confidence));
    at += pair.length + 1;
  }
}

function scan(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  eachCandidate(text, (candidate) => {
    const scheme = text.slice(candidate.start, candidate.mark).toLowerCase();
    const dangerous = schemeFinding(text, scheme, candidate);
    if (dangerous !== undefined) findings.push(dangerous);
    else if (text.startsWith('//', candidate.mark + 1) && scheme !== 'file') {
      authorityFindings(text, candidate, findings);
      queryFindings(text, candidate, findings);
    }
  });
  for (const match of text.matchAll(METADATA_NAME)) {
    findings.push(found('metadata', match.index, match.index + match[0].length, 0.9));
  }
  return withoutOverlap(findings);
}

function holdFrom(text: string): number {
  const least = Math.max(0, text.length - LOOK_BEHIND);
  let at = text.length;
  while (at > least && text.charCodeAt(at - 1) > 32) at -= 1;
  return at;
}

/** Addresses that lead inside, deceive, or carry something out. Hosts are read as WHATWG URL reads them: every way to write an address counts. */
export const url: Detector = {
  name: 'url',
  kinds: KINDS.map((kind) => `url.${kind}`),
  scan,
  holdFrom,
  lookBehind: LOOK_BEHIND,
};
