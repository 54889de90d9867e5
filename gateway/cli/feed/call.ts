import type { CallView, RunView } from '../../admin/views.ts';

/** One call as the office door tells it. */
export type Call = CallView;
/** A run with its calls, oldest first, as the office door tells it. */
export type Run = RunView;
export type CallAction = Call['actions'][number];
