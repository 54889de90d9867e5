import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configSchema } from '../../gateway/config/schema.ts';

interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
}

/** Every name a configuration can hold below `shape`. */
function* namesIn(shape: Shape): Generator<string> {
  for (const [name, inner] of Object.entries(shape.properties ?? {})) {
    yield name;
    yield* namesIn(inner);
  }
  if (typeof shape.additionalProperties === 'object') yield* namesIn(shape.additionalProperties);
  if (shape.items) yield* namesIn(shape.items);
  for (const one of shape.anyOf ?? []) yield* namesIn(one);
}

const page = (name: string): string => readFileSync(resolve(import.meta.dirname, '../../docs', name), 'utf8');
const { properties = {} } = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Shape;
const { mcp, budgets, ...others } = properties;
const says = (text: string, name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);

describe('docs/configuration.md', () => {
  it('has every key of the configuration file', () => {
    const text = page('configuration.md');
    const names = new Set(namesIn({ properties: { ...others, mcp: {}, budgets: {} } }));
    expect(names.size).toBeGreaterThan(50);
    expect([...names].filter((name) => !says(text, name))).toEqual([]);
  });

  it('and the pages it leads to have what is below `budgets` and `mcp`', () => {
    expect([...namesIn(budgets ?? {})].filter((name) => !says(page('budgets.md'), name))).toEqual([]);
    const text = ['mcp.md', 'mcp-access.md', 'mcp-pins.md'].map(page).join('\n');
    expect([...namesIn(mcp ?? {})].filter((name) => !says(text, name))).toEqual([]);
  });
});
