import type { Quote, RequestBound } from '../domain/pricing.ts';
import { type EpochMs, epochMs } from '../domain/scalars.ts';
import type { Dialect, Reading } from '../ports/dialect.ts';
import type { LoadedConfig } from './load.ts';

/** The language where callers name deployments: whatever they call one is read as the model it stands for; the bytes stay. */
export function withDeployments(dialect: Dialect, deployments: Readonly<Record<string, string>>): Dialect {
  const named = (reading: Reading): Reading => {
    const members = reading.members?.map((member) => ({ ...member, reading: named(member.reading) }));
    const model = Object.hasOwn(deployments, reading.model) ? (deployments[reading.model] as string) : reading.model;
    return { ...reading, model, bound: { ...reading.bound, model }, ...(members && { members }) };
  };
  return { ...dialect, read: (...request) => named(dialect.read(...request)) };
}

interface Prices {
  readonly providers: readonly string[];
  quote(provider: string, bound: RequestBound, at: EpochMs, strict: boolean): Quote;
}

/** Deployments that stand for a model without a price: they would be as unpriced as under their own names. */
export function unpricedDeployments({ upstreams }: Pick<LoadedConfig, 'upstreams'>, prices: Prices): string[] {
  return Object.entries(upstreams).flatMap(([name, { prices: provider = name, deployments = {} }]) =>
    Object.entries(deployments).flatMap(([deployment, model]) => {
      const bound = { model, bytes: 0, choices: 1, opaque: [], serverTools: [] };
      if (!prices.providers.includes(provider) || prices.quote(provider, bound, epochMs(0), true).priced) return [];
      return [
        `upstream \`${name}\`: deployment \`${deployment}\` stands for \`${model}\`, which has no price at \`${provider}\`; correct it or add a row to its price file`,
      ];
    }),
  );
}
