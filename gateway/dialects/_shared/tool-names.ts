import { asString, type JsonObject } from '../../domain/json.ts';
import type { CarriedResult } from '../../ports/dialect.ts';

const REMEMBERED = 4096;

/** Which tool a call id of this socket belongs to: a result that comes back names its call only. */
export class ToolNames {
  readonly #names = new Map<string, string>();

  /** Takes an item of a response; what is no call teaches nothing. */
  learn(item: JsonObject): void {
    const callId = asString(item['call_id']) ?? '';
    const name = asString(item['name']) ?? '';
    if (callId === '' || name === '') return;
    this.#names.set(callId, name);
    if (this.#names.size > REMEMBERED) this.#names.delete(this.#names.keys().next().value as string);
  }

  /** The results, named where their call is known. */
  name(results: readonly CarriedResult[]): CarriedResult[] {
    return results.map((one) => (one.tool === '' ? { ...one, tool: this.#names.get(one.callId) ?? '' } : one));
  }
}
