import type { CallId } from '../../domain/scalars.ts';

/**
 * The tenant that an account id names: `tenant:<tenant>:<window>:…`, else `<scope>:<tenant>/…`; empty where it names none. One
 * function of the id alone, so that every gateway finds the same place.
 */
export function tenantOf(account: string): string {
  const found =
    /^tenant:(.*?):(?:minute|hour|day|month|total):/s.exec(account) ?? /^[a-z]+:([^/]*)\//.exec(account) ?? undefined;
  return found?.[1] ?? '';
}

/** Where one tenant's money is kept. All its keys share one hash tag, so a script over them is one slot of a cluster. */
export class Place {
  readonly tenant: string;
  /** what every key of the tenant begins with */
  readonly prefix: string;

  constructor(tenant: string) {
    this.tenant = tenant;
    this.prefix = `tollgate:{t.${encodeURIComponent(tenant.toWellFormed())}}:`;
  }

  account(id: string): string {
    return `${this.prefix}a:${id}`;
  }

  hold(id: CallId): string {
    return `${this.prefix}h:${id}`;
  }

  /** what was taken of a rate, by the beginning of its slot */
  rate(id: string): string {
    return `${this.prefix}rate:${id}`;
  }

  /** gateways that lease something of the account, by when Redis forgets it */
  lessees(account: string): string {
    return `${this.prefix}lessees:${account}`;
  }

  /** open holds by the end of their lease */
  get leases(): string {
    return `${this.prefix}leases`;
  }

  /** closed holds by the time they were closed */
  get closed(): string {
    return `${this.prefix}closed`;
  }

  /** accounts by the end of their window */
  get accounts(): string {
    return `${this.prefix}accounts`;
  }
}

/** Every tenant that ever held money: where leases are swept and a call of unknown tenant is looked for. */
export const TENANTS = 'tollgate:tenants';
