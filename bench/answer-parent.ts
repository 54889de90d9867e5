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
      },
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  // a bench that dies takes its processes with it
  process.once('disconnect', () => process.exit());
  tell({ kind: 'ready', port });
}
