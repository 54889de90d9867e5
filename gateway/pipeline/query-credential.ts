import type { Dialect } from '../ports/dialect.ts';
import type { Arrival } from '../ports/identity.ts';

/** A URL's query without some parameters, and what those said; the rest keeps its spelling. */
interface Sifted {
  readonly url: string;
  readonly taken: ReadonlyMap<string, string>;
}

function sift(url: string, wanted: (name: string) => boolean): Sifted {
  const mark = url.indexOf('?');
  if (mark === -1) return { url, taken: new Map() };
  const taken = new Map<string, string>();
  const kept = url
    .slice(mark + 1)
    .split('&')
    .filter((pair) => {
      const [[name, value] = ['', '']] = [...new URLSearchParams(pair)];
      if (!wanted(name)) return true;
      if (!taken.has(name)) taken.set(name, value);
      return false;
    });
  const query = kept.join('&');
  return { url: url.slice(0, mark) + (query === '' ? '' : `?${query}`), taken };
}

/**
 * The arrival with credentials moved from its query into the header that says the same, so that no path the gate asks for, judges or
 * records holds one. A header that is there already stays; the parameter goes all the same.
 */
export function withoutQueryCredential(arrival: Arrival, { queryCredentials = [] }: Dialect): Arrival {
  const known = new Map(queryCredentials.map((one) => [one.parameter, one]));
  const { url, taken } = sift(arrival.url, (name) => known.has(name));
  if (taken.size === 0) return arrival;
  const moved: Record<string, string> = {};
  for (const [name, value] of taken) {
    const { header, scheme = '' } = known.get(name) as (typeof queryCredentials)[number];
    if (arrival.headers[header] === undefined && value !== '') moved[header] = scheme + value;
  }
  return { ...arrival, url, headers: { ...arrival.headers, ...moved } };
}
