/** Node fires a longer timer at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Calls `beat` every `ms` until stopped; the process may end while it runs. */
export function heartbeat(ms: number, beat: () => void): () => void {
  const timer = setInterval(beat, Math.min(ms, LONGEST_TIMER));
  timer.unref();
  return () => clearInterval(timer);
}
