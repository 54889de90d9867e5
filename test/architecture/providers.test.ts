import { expect, test } from 'vitest';
import { filesMatching, withoutComments } from './source-tree.ts';

const CORE = /^gateway\/(?:domain|ports|policy|price|pipeline|server)\/.*\.ts$/;

const PROVIDER =
  /openai|anthropic|claude|gemini|google|vertexai|bedrock|amazon|azure|mistral|deepseek|ollama|openrouter|moonshot|perplexity|alibaba|dashscope|huggingface|nvidia|databricks|\b(?:cohere|groq|grok|xai|aws|fireworks|cerebras|together_?ai|gpt|qwen|llama)(?![a-z])/gi;

function providersIn(text: string): string[] {
  return [...withoutComments(text).matchAll(PROVIDER)].map((match) => match[0]);
}

test.each([
  [`if (provider === 'openai') return;`, ['openai']],
  [`import { anthropicMessages } from './x.ts';`, ['anthropic']],
  [`const url = 'https://bedrock.example'; // openai`, ['bedrock']],
  [`/** the way gemini does it */ export const coherent = isAzureLike;`, ['Azure']],
  [`const model = \`gpt-5\`;`, ['gpt']],
  [`const laws = 'flaws'; const exact = 'xaired';`, []],
])('the rule reads %s', (text, found) => {
  expect(providersIn(text)).toEqual(found);
});

test('no core file names a provider', () => {
  const named = filesMatching(CORE).flatMap(({ path, text }) => providersIn(text).map((word) => `${path}: ${word}`));
  expect(named).toEqual([]);
});
