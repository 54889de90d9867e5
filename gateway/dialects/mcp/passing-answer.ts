import { Fault } from '../../domain/fault.ts';
import { JsonFault } from '../../domain/json-text.ts';
import { RpcFault } from '../../domain/rpc-fault.ts';
import type { PassingAnswer, RpcId, WireBounds } from '../../ports/mcp-wire.ts';
import { JsonGate } from './json-gate.ts';
import { refuseVariant } from './known-names.ts';

/** Members of a result that steer the protocol: an answer that has them is not one to be passed unread. */
const STEERS = new Set(['requestState', 'inputRequests', 'task', 'taskId']);

const broken = (why: string, cause?: unknown): Fault =>
  new Fault('TG_UPSTREAM_UNREADABLE', `the server sent a message that cannot be accepted: ${why}`, cause);

/**
 * Checks an answer that passes while it is read: it must be the result of request `id`, complete, and JSON that every parser reads
 * alike. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) as soon as it is not; what was passed on before is then broken off.
 */
export const openPassing = (id: RpcId, bounds: Pick<WireBounds, 'depth' | 'nodes'>): PassingAnswer =>
  new Passing(id, bounds);

class Passing implements PassingAnswer {
  readonly #id: RpcId;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #gate: JsonGate;
  #begun = false;
  #isResult = false;
  #answersId: boolean | undefined;
  #failed = false;

  constructor(id: RpcId, bounds: Pick<WireBounds, 'depth' | 'nodes'>) {
    this.#id = id;
    this.#gate = new JsonGate(bounds, {
      name: (depth, name) => this.#name(depth, name),
      scalar: ([top, inner], source) => this.#scalar(top, inner, source),
    });
  }

  #name(depth: number, name: string): void {
    if (depth === 1) {
      refuseVariant(name, 'message');
      this.#begun ||= name === 'result' || name === 'error' || name === 'method';
      this.#isResult ||= name === 'result';
      if (name === 'method' || name === 'error') throw broken('it is no result');
    } else if (depth === 2 && this.#isResult) {
      refuseVariant(name, 'result');
      if (STEERS.has(name)) throw broken('it is too large for a result that asks for something');
    }
  }

  #scalar(top: string | undefined, inner: string | undefined, source: string): void {
    if (top === 'id' && inner === undefined) this.#answersId = sameId(source, this.#id);
    else if (top === 'jsonrpc' && source !== '"2.0"') throw broken('member `jsonrpc` must be "2.0"');
    else if (top === 'result' && inner === undefined) throw broken('a result is an object');
    else if (top === 'result' && inner === 'resultType' && source !== '"complete"')
      throw broken('it is too large for a result that asks for something');
    else if (top === 'result' && inner === 'isError') this.#failed = source === 'true';
    if (this.#answersId === false) throw broken('it answers another request');
  }

  push(bytes: Uint8Array): void {
    guarded(() => this.#gate.push(this.#decoder.decode(bytes, { stream: true })));
  }

  end(): { failed: boolean } {
    guarded(() => {
      this.#gate.push(this.#decoder.decode());
      this.#gate.end();
    });
    if (this.#answersId !== true || !this.#isResult) throw broken('it answers nothing');
    return { failed: this.#failed };
  }

  get isResult(): boolean {
    return this.#begun && this.#isResult;
  }
}

/** What is wrong with the text is wrong with the answer. */
function guarded(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof JsonFault || error instanceof RpcFault || error instanceof TypeError)
      throw broken(error.message, error);
    throw error;
  }
}

/** One text has one identity however it is spelled. */
const sameId = (source: string, id: RpcId): boolean =>
  (source.startsWith('"') ? JSON.stringify(JSON.parse(source)) : source) === id;
