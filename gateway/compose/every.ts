/** Runs `work` every `ms`; the process may end meanwhile. Returns how to stop. */
export function every(ms: number, work: () => unknown): () => void {
  const timer = setInterval(work, ms);
  timer.unref();
  return () => clearInterval(timer);
}
