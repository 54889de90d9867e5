import { vi } from 'vitest';
import { PATIENCE_MS } from './patience.ts';

/** Resolves with the first look that is truthy; rejects after `PATIENCE_MS`. */
export const eventually = <T>(look: () => T | Promise<T>) => vi.waitUntil(look, { timeout: PATIENCE_MS });
