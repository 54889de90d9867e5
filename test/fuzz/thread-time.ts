/** Milliseconds of processor time this thread has had: what other processes take of the machine is not in it. */
export function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
