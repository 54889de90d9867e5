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
export function openPassing(id: RpcId, bounds: Pick<WireBounds, 'depth' | 'nodes'>): PassingAnswer {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let begun = false;
  let isResult = false;
  let answersId: boolean | undefined;
  let failed = false;
  const gate = new JsonGate(bounds, {
    name(depth, name) {
      if (depth === 1) {
        refuseVariant(name, 'message');
        begun ||= name === 'result' || name === 'error' || name === 'method';
        isResult ||= name === 'result';
        if (name === 'method' || name === 'error') throw broken('it is no result');
      } else if (depth === 2 && isResult) {
        refuseVariant(name, 'result');
        if (STEERS.has(name)) throw broken('it is too large for a result that asks for something');
      }
    },
    scalar([top, inner], source) {
      if (top === 'id' && inner === undefined) answersId = sameId(source, id);
      else if (top === 'jsonrpc' && source !== '"2.0"') throw broken('member `jsonrpc` must be "2.0"');
      else if (top === 'result' && inner === undefined) throw broken('a result is an object');
      else if (top === 'result' && inner === 'resultType' && source !== '"complete"')
        throw broken('it is too large for a result that asks for something');
      else if (top === 'result' && inner === 'isError') failed = source === 'true';
      if (answersId === false) throw broken('it answers another request');
    },
  });
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (error instanceof JsonFault || error instanceof RpcFault || error instanceof TypeError)
        throw broken(error.message, error);
      throw error;
    }
  };
  return {
    push: (bytes) => guarded(() => gate.push(decoder.decode(bytes, { stream: true }))),
    end() {
      guarded(() => {
        gate.push(decoder.decode());
        gate.end();
      });
      if (answersId !== true || !isResult) throw broken('it answers nothing');
      return { failed };
    },
    get isResult() {
      return begun && isResult;
    },
  };
}

/** One text has one identity however it is spelled. */
const sameId = (source: string, id: RpcId): boolean =>
  (source.startsWith('"') ? JSON.stringify(JSON.parse(source)) : source) === id;
