import type { LoadedConfig } from './load.ts';

/** How remote detectors are asked, by name, in the units their adapter counts in. */
export const remoteTermsOf = ({ detectors }: LoadedConfig) =>
  Object.fromEntries(
    Object.entries(detectors.remote).map(([name, remote]) => [
      name,
      {
        url: remote.url,
        shape: remote.shape,
        kinds: remote.kinds,
        language: remote.language,
        bearer: remote.bearer,
        minScore: remote.min_score,
        timeoutMs: remote.timeout_ms,
        atOnce: remote.max_concurrent,
        maxChars: remote.max_chars,
        breaker: { failures: remote.breaker.failures, openMs: remote.breaker.open_s * 1000 },
      },
    ]),
  );
