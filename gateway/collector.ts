import { setFlagsFromString } from 'node:v8';

/**
 * Lets the garbage collector empty the young generation on the thread that allocates. What a call leaves behind is dead by then, so there is
 * nothing to share: helper threads only make every call wait until they have been given a processor, which on a shared machine takes
 * milliseconds (ADR 41). V8 reads the flag at each collection, so that it may be set while it runs.
 */
export const collectAlone = (): void => setFlagsFromString('--no-parallel-scavenge');
