import { FAULTS, type Fault, type FaultCode } from '../domain/fault.ts';
import type { Saying } from '../ports/dialect.ts';

/** A refusal as a dialect puts it into words. */
export const saying = (code: FaultCode, message: string, rule?: string, reason?: string): Saying => ({
  code,
  status: FAULTS[code].status,
  message,
  rule,
  reason,
});

/** The same of a Fault that was thrown. */
export const sayingOfFault = ({ code, message, rule, reason }: Fault): Saying => saying(code, message, rule, reason);
