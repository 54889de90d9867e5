import { setFlagsFromString } from 'node:v8';

/**
 * Sets V8's garbage collector for a process that is asked all the time and keeps next to nothing (ADR 41, 46). V8 reads the flags when it
 * collects, so that they may be set while it runs.
 */
export function tuneCollector(): void {
  // what a call leaves behind is dead when it is collected: helper threads have nothing to do, and are waited for until they have a processor
  setFlagsFromString('--no-parallel-scavenge');
  // little that lives is no sign of little to do: the whole heap is collected when it has grown, not to give memory back under load
  setFlagsFromString('--memory-reducer-gc-count=0');
  // request bodies lie outside of the heap but count: with V8's own factor, which follows how little lives, the whole heap is collected every ten megabytes of them
  setFlagsFromString('--heap-growing-percent=200');
}
