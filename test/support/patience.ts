/** How long a test waits for what must come, ms: a crowded machine is slow, and that is not what tests are about. */
export const PATIENCE_MS = 20_000;
