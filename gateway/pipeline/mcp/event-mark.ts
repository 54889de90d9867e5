import type { Leg } from './leg.ts';

/**
 * What stands before the event ids of a server's streams on the federated endpoint, so that each says whose it is; '' elsewhere. No name
 * of a server holds a slash.
 */
export const eventMark = ({ seat, errand }: Pick<Leg, 'seat' | 'errand'>): string =>
  errand.visit.address.server === undefined ? `${seat.server}/` : '';
