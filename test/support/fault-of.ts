import { Fault } from '../../gateway/domain/fault.ts';

/** The Fault that work ends with. Throws where it ends well, or with another error. */
export async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Fault)) throw new Error(`expected a Fault, got ${String(error)}`);
  return error;
}
