import type { Classifier } from '../../ports/classifier.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Detector } from '../../ports/detector.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { kindsOf, openRemote, type RemoteTerms } from './open-remote.ts';

type ByName<T> = Readonly<Record<string, T>>;

/** What rules may name of remote detectors. */
export const knownRemotes = (
  remotes: ByName<Pick<RemoteTerms, 'kinds'>>,
): readonly { readonly name: string; readonly kinds: readonly string[]; readonly remote: true }[] =>
  Object.entries(remotes).map(([name, { kinds }]) => ({ name, kinds: kindsOf(name, kinds), remote: true }));

/** What the schema of the configuration cannot say: names that are taken, kinds that nobody can know. */
export function remoteProblems(
  remotes: ByName<Pick<RemoteTerms, 'kinds' | 'shape'>>,
  own: readonly Pick<Detector, 'name' | 'kinds'>[],
): string[] {
  const taken = new Set(own.flatMap((d) => [d.name, ...d.kinds.map((kind) => kind.split('.')[0] as string)]));
  return Object.entries(remotes).flatMap(([name, { shape, kinds }]) => [
    ...(taken.has(name)
      ? [`remote detector \`${name}\`: the gate has a detector of that name; give it another one`]
      : []),
    ...(shape === 'tollgate' && kinds === undefined
      ? [`remote detector \`${name}\`: \`kinds\` is missing; name what it can report, so that rules can be checked`]
      : []),
  ]);
}

/** Opens remote detectors by name; nothing is sent before one is asked. */
export function openRemotes(
  remotes: ByName<RemoteTerms>,
  { clock, log, metrics }: { readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
): { readonly classifiers: ReadonlyMap<string, Classifier>; close(): Promise<unknown> } {
  const opened = Object.entries(remotes).map(([name, terms]) => {
    metrics.classifierOpen(name, false);
    return openRemote(name, terms, {
      log,
      ticks: () => clock.ticks(),
      onResult: (result) => metrics.classifier(name, result),
      onBreaker: (open) => metrics.classifierOpen(name, open),
    });
  });
  return {
    classifiers: new Map(opened.map((remote) => [remote.name, remote])),
    close: () => Promise.all(opened.map((remote) => remote.close())),
  };
}
