import type { Budget, Rate } from '../domain/budget.ts';
import type { Destination } from '../pipeline/gateway.ts';
import type { Dialect } from '../ports/dialect.ts';
import { withDeployments } from './deployments.ts';
import type { LoadedConfig } from './load.ts';
import { withHabits } from './wire-habits.ts';

/** The limits of money among those configured, as the corridor knows them. */
export const budgetsOf = ({ budgets }: LoadedConfig): Budget[] =>
  budgets.flatMap(({ scope, window = 'total', limit_usd, match }) =>
    limit_usd === undefined ? [] : [{ scope, window, limit: limit_usd as Budget['limit'], match }],
  );

/** The limits of requests and tokens among those configured; a rate without a window is one per minute. */
export const ratesOf = ({ budgets }: LoadedConfig): Rate[] =>
  budgets.flatMap(({ scope, window = 'minute', limit_requests, limit_tokens, match }) => {
    const limit = limit_requests ?? limit_tokens;
    if (limit === undefined || window === 'total') return [];
    return [{ scope, window, unit: limit_requests === undefined ? 'tokens' : 'requests', limit, match }];
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
        dialects: upstream.dialects.map((wanted) => {
          const dialect = all.find((d) => d.name === wanted) as Dialect;
          const spoken = withHabits(dialect, {
            usageInStream: upstream.usage_in_stream,
            outputCap: upstream.output_cap,
          });
          return upstream.deployments ? withDeployments(spoken, upstream.deployments) : spoken;
        }),
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
