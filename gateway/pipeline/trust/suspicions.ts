import { type DefinitionKind, definitionStrings, parameterNames } from '../../domain/tool-definition.ts';
import { visibleText } from '../../domain/visible-text.ts';
import type { Detector } from '../../ports/detector.ts';

/** Parameters that ask the model for what it knows instead of what the tool needs. */
const COLLECTING =
  /^(?:(?:full|entire|whole|current|chat|conversation|message|session|prior|previous|all|your)*(?:context|history|conversation|transcript|messages|memory|memories)|(?:your)?(?:system|developer|hidden|initial|original)(?:prompt|message|instructions?)|(?:your|chainof|internal)?(?:thoughts?|reasoning|chainofthought)|(?:model|llm|assistant)name|(?:all|available|other|your)?tools?(?:list|names|callhistory|calls)|(?:other|available)tools|allsecrets|credentials|environmentvariables|envvars)$/;

const BENIGN_CONTEXT = new Set([
  'context',
  'history',
  'messages',
  'memory',
  'conversation',
  'reasoning',
  'thought',
  'thoughts',
  'credentials',
  'memories',
  'transcript',
]);

const glued = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** The words of an identifier: `ignore_previousInstructions` reads as a sentence to a model, so a detector has to see one. */
const spelledOut = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[_\-./:]+/g, ' ')
    .trim();

/**
 * What speaks to the model in a definition: the detectors' findings in every string of it, and parameters that collect context. Each
 * as `<kind> at <pointer>`, once; a detector that fails counts as a finding. Empty: nothing was found, which proves nothing.
 */
export function suspicionsIn(kind: DefinitionKind, text: string, detectors: readonly Detector[]): readonly string[] {
  const found = new Set<string>();
  const look = (at: string, words: string): void => {
    for (const detector of detectors) {
      try {
        for (const { kind: what } of detector.scan(words)) found.add(`${what} at ${visibleText(at)}`);
      } catch {
        found.add(`${detector.name}.unknown at ${visibleText(at)}`);
      }
    }
  };
  for (const { at, text: words, role } of definitionStrings(text)) {
    look(at === '' ? '/' : at, words);
    const spelled = role === 'name' ? spelledOut(words) : words;
    if (spelled !== words) look(at, spelled);
  }
  if (kind === 'tool' || kind === 'prompt')
    for (const name of parameterNames(text))
      if (COLLECTING.test(glued(name)) && !BENIGN_CONTEXT.has(glued(name)))
        found.add(`parameter.collects_context at ${visibleText(name)}`);
  return [...found];
}
