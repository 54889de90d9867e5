import type { Budget } from '../domain/budget.ts';
import type { Destination } from '../pipeline/gateway.ts';
import type { Dialect } from '../ports/dialect.ts';
import type { LoadedConfig } from './load.ts';

/** A budget as the corridor knows it. */
export const budgetOf = ({ scope, window, limit_usd, match }: LoadedConfig['budgets'][number]): Budget => ({
  scope,
  window,
  limit: limit_usd as Budget['limit'],
  match,
});

/** Where calls may go, each with the dialects it speaks; names of dialects are known to be right. */
export function destinationsOf(config: LoadedConfig, all: readonly Dialect[]): Map<string, Destination> {
  return new Map(
    Object.entries(config.upstreams).map(([name, upstream]) => {
      const url = new URL(upstream.base_url);
      const destination: Destination = {
        name,
        origin: url.origin,
        basePath: url.pathname.replace(/\/+$/, ''),
        dialects: upstream.dialects.map((wanted) => all.find((d) => d.name === wanted) as Dialect),
        credential: upstream.credential,
        prices: upstream.prices ?? name,
        routes: upstream.routes.map((route) =>
          typeof route === 'string' ? { name: route, methods: ['GET', 'HEAD'] } : route,
        ),
      };
      return [name, destination];
    }),
  );
}
