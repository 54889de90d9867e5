import { hash } from 'node:crypto';
import type { Nano } from '../domain/scalars.ts';
import type { Reading } from '../ports/dialect.ts';
import type { RunSpace } from '../ports/runs.ts';
import { causesOf, type Segment } from '../price/causes.ts';
import type { Gateway } from './gateway.ts';
import type { Outcome } from './outcome.ts';
import type { Trail } from './trail.ts';

/** A text of the request with what it is. */
interface Stretch {
  readonly key: string;
  readonly source: string;
  readonly size: number;
}

/**
 * Notes which steps of the run caused what this call was charged. Never throws: a share that cannot be worked out leaves the charge with
 * its own step.
 */
export function noteCauses(
  gate: Gateway,
  trail: Trail,
  at: { readonly space: RunSpace; readonly run: string },
  asked: Reading,
  { usage, served }: Outcome,
  charged: Nano,
): void {
  const { cost } = trail;
  if (!served || !usage || !cost || charged === 0n || asked.members) return;
  try {
    const stretches = stretchesOf(asked);
    const steps = gate.runs.introduced(at.space, at.run, trail.step, stretches);
    const segments = stretches.map(({ source, size }, i): Segment => ({ step: steps[i] as number, source, size }));
    const causes = causesOf(trail.step, segments, usage, cost, charged);
    trail.causes = causes.length > 0 ? causes : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    gate.log.error(
      { call: trail.id, error: reason },
      'what caused the cost of a call was not worked out; its own step has it',
    );
  }
}

/** The request in its order: what is around the texts (tools, settings) first, as providers read it, then each text. */
function stretchesOf({ doc, parts, results, input }: Reading): Stretch[] {
  const own = new Set(input?.parts.map(({ at }) => at));
  const tools = new Map(results.map(({ at, tool }) => [at, tool]));
  const stretches: Stretch[] = [];
  const times = new Map<string, number>();
  let around = doc.text.length;
  for (const { at, text } of parts) {
    around -= text.length;
    const tool = toolOf(at, tools);
    const source = tool !== undefined ? `tool:${tool}` : own.has(at) ? 'input' : 'said';
    const digest = hash('sha256', text, 'base64').slice(0, 22);
    const nth = (times.get(digest) ?? 0) + 1;
    times.set(digest, nth);
    stretches.push({ key: `${digest}${nth}`, source, size: text.length });
  }
  return [{ key: 'around', source: 'request', size: Math.max(0, around) }, ...stretches];
}

/** The tool whose result the text at `at` is in, the result that is nearest to it. */
function toolOf(at: string, tools: ReadonlyMap<string, string>): string | undefined {
  for (let end = at.length; end >= 0; end = end === 0 ? -1 : at.lastIndexOf('/', end - 1)) {
    const tool = tools.get(at.slice(0, end));
    if (tool !== undefined) return tool;
  }
  return undefined;
}
