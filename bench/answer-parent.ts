/** What a process of the bench is asked for, and what it answers. */
export type Ask = 'cpu' | 'stop';
export type Told =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'cpu'; readonly us: number }
  | { readonly kind: 'stopped'; readonly note?: string };

const tell = (told: Told): void => {
  process.send?.(told);
};

/** Tells the parent that this process listens, and answers what it asks; the process ends when it is told to stop. */
export function answerParent(port: number, stop: () => Promise<string | undefined>): void {
  process.on('message', (ask: Ask) => {
    if (ask === 'cpu') {
      const { user, system } = process.cpuUsage();
      tell({ kind: 'cpu', us: user + system });
      return;
    }
    stop().then(
      (note) => {
        tell({ kind: 'stopped', ...(note !== undefined && { note }) });
        process.disconnect();
        // idle connections of the load generator would keep it for a minute
        setTimeout(() => process.exit(0), 200).unref();
      },
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  tell({ kind: 'ready', port });
}
