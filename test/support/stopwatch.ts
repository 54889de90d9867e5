const TICK_MS = 10;

/**
 * Starts measuring how long this process waits and works; the returned function ends it and says so in ms. Time in which a crowded machine
 * did not let it run is left out, and so is sleep in a system call: a tick that comes late counts as one tick and the processor time since
 * the last. So a bound on it can be as tight as what is promised.
 */
export function stopwatch(): () => number {
  let counted = 0;
  let seenAt = performance.now();
  let cpu = process.cpuUsage();
  const look = (): void => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    counted += Math.min(now - seenAt, TICK_MS + (user + system) / 1000);
    seenAt = now;
    cpu = process.cpuUsage();
  };
  const ticking = setInterval(look, TICK_MS);
  return () => {
    clearInterval(ticking);
    look();
    return counted;
  };
}
