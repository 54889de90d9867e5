import { Fault } from '../domain/fault.ts';
import type { Headers } from '../ports/dialect.ts';

export interface HostCheckOptions {
  /** the address that is listened on */
  readonly listen: string;
  /** further names, with a port where only that one is meant */
  readonly hosts: readonly string[];
  /** origins of web pages that may call, as browsers write them: `https://app.example.com` */
  readonly origins: readonly string[];
}

/** Addresses that mean "all": nobody calls them by that name. */
const ANY = new Set(['0.0.0.0', '::', '[::]']);

const withoutPort = (host: string): string => host.replace(/:[0-9]*$/, '');

const isLoopbackName = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || /^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/.test(name);

const refuse = (message: string): never => {
  throw new Fault('TG_FOREIGN_ORIGIN', message);
};

/** `https://app.example.com:443/` is written `https://app.example.com`, as browsers do. */
const originText = (origin: string): string => (URL.canParse(origin) ? new URL(origin).origin : origin);

/**
 * Refuses requests that a browser was talked into (DNS rebinding, cross-site calls; CVE-2025-66414): the Host must be a loopback name,
 * the listening address or configured, and an Origin, where there is one, the same place or configured. The function throws a Fault
 * (`TG_FOREIGN_ORIGIN`).
 */
export function hostCheck({ listen, hosts, origins }: HostCheckOptions): (headers: Headers) => void {
  const own = listen.includes(':') && !listen.startsWith('[') ? `[${listen}]` : listen;
  const known = new Set([...(ANY.has(listen) ? [] : [own]), ...hosts].map((host) => host.toLowerCase()));
  const allowed = new Set(origins.map(originText));
  return (headers) => {
    const { host, origin } = headers;
    if (typeof host !== 'string' || host === '') return refuse('the request names no Host');
    const full = host.toLowerCase();
    const name = withoutPort(full);
    if (!isLoopbackName(name) && !known.has(name) && !known.has(full))
      return refuse('this Host is not served here; add it to `mcp.allowed_hosts` if it is yours');
    if (origin === undefined) return;
    // a page of the same place: its Host was judged above
    if (typeof origin === 'string' && (origin === `http://${full}` || origin === `https://${full}`)) return;
    if (typeof origin !== 'string' || !allowed.has(origin))
      refuse('web pages of this Origin may not call; add it to `mcp.allowed_origins` if it is yours');
  };
}
