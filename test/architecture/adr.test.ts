import { expect, test } from 'vitest';
import { filesMatching, type SourceFile } from './source-tree.ts';

const HEADINGS = ['Context', 'Decision', 'Consequences'];

function adrFaults(records: readonly SourceFile[]): string[] {
  const faults: string[] = [];
  for (const [index, { path, text }] of records.entries()) {
    const file = path.slice(path.lastIndexOf('/') + 1);
    const expected = String(index + 1).padStart(4, '0');
    if (!/^\d{4}-[a-z0-9]+(?:-[a-z0-9]+)*\.md$/.test(file)) faults.push(`${file}: not NNNN-title.md`);
    else if (!file.startsWith(`${expected}-`)) faults.push(`${file}: expected number ${expected}`);
    const headings = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    if (headings.join() !== HEADINGS.join()) faults.push(`${file}: headings are not ${HEADINGS.join(', ')}`);
  }
  return faults;
}

const BODY = '# T\n\n## Context\n\na\n\n## Decision\n\nb\n\n## Consequences\n\nc\n';

test.each([
  ['two records', ['0001-a.md', '0002-b.md'], []],
  ['a number used twice', ['0001-a.md', '0001-b.md'], ['0001-b.md: expected number 0002']],
  ['a gap', ['0001-a.md', '0003-b.md'], ['0003-b.md: expected number 0002']],
  ['a name without a number', ['0001-a.md', 'notes.md'], ['notes.md: not NNNN-title.md']],
])('the rule judges %s', (_, names, faults) => {
  expect(adrFaults(names.map((name) => ({ path: `docs/adr/${name}`, text: BODY })))).toEqual(faults);
  expect(adrFaults([{ path: 'docs/adr/0001-a.md', text: '## Context\n' }])).toHaveLength(1);
});

test('decision records are numbered without gap or repeat and have three headings', () => {
  expect(adrFaults(filesMatching(/^docs\/adr\/.*\.md$/).filter(({ path }) => !path.endsWith('/README.md')))).toEqual(
    [],
  );
});
