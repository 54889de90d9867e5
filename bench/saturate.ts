import type { BenchCall } from './traffic.ts';

/** Asks as fast as answers come, over `connections`; returns how many calls were answered in how many seconds. Rejects where one failed. */
export async function saturate(
  url: string,
  calls: readonly BenchCall[],
  connections: number,
  seconds: number,
): Promise<{ readonly count: number; readonly seconds: number }> {
  const { default: autocannon } = await import('autocannon');
  const result = await autocannon({ url, connections, duration: seconds, method: 'POST', requests: calls });
  const failed = result.non2xx + result.errors + result.timeouts;
  if (failed > 0)
    throw new Error(
      `${url}: ${failed} calls failed under load; answers by status: ${JSON.stringify(result.statusCodeStats)}`,
    );
  return { count: result['2xx'], seconds: result.duration };
}
