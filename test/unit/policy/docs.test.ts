import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import { guideText, schemaText } from '../../../scripts/gen-policy-docs.ts';
import { DETECTORS, mistakes, sha256 } from './_judging.ts';

const GUIDE = readFileSync('docs/policies.md', 'utf8');
const BLOCKS = [...GUIDE.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
const HEAD = 'policy: tollgate/v1\nname: t\ndefault: allow\n';

describe('the guide', () => {
  it('and the schema for editors say what the judge says', () => {
    expect(guideText(GUIDE)).toBe(GUIDE);
    expect(readFileSync('docs/policy.schema.json', 'utf8')).toBe(schemaText());
  });

  it('shows a bundle that loads', () => {
    const text = BLOCKS[0] ?? '';
    expect(text).toContain('policy: tollgate/v1');
    expect(compilePolicy([{ path: 'p/policy.yaml', text }], sha256, DETECTORS).size).toBe(1);
  });

  it('shows conditions that load', () => {
    const lines = (BLOCKS.find((b) => b.startsWith('when:')) ?? '').trim().split('\n');
    expect(lines.length).toBe(5);
    for (const [i, line] of lines.entries()) {
      const text = `${HEAD}rules:\n  - id: r${i}\n    at: pre_tool_call\n    verdict: deny\n    ${line}\n`;
      expect(compilePolicy([{ path: 'p/policy.yaml', text }], sha256, DETECTORS).size, line).toBe(1);
    }
  });

  it('shows transforms that load', () => {
    const block = (BLOCKS.find((b) => b.startsWith('transform:')) ?? '').replaceAll(/^/gm, '    ');
    const text = `${HEAD}rules:\n  - id: r\n    at: pre_model_call\n    verdict: transform\n${block}`;
    expect(compilePolicy([{ path: 'p/policy.yaml', text }], sha256, DETECTORS).size).toBe(1);
  });

  it('shows a rule that puts values back', () => {
    const block = BLOCKS.find((b) => b.includes('rehydrate') && b.startsWith('tools:')) ?? '';
    expect(compilePolicy([{ path: 'p/policy.yaml', text: HEAD + block }], sha256, DETECTORS).keeps('pii.email')).toBe(
      true,
    );
  });

  it('does not claim that any text loads', () => {
    expect(mistakes(`${HEAD}rules: 1\n`)).not.toEqual([]);
  });
});
