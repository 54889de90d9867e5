import type { TestReport } from './test-policies.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** XML 1.0 allows no control characters but tab and line breaks, not even as entities. */
const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (c) => ENTITIES[c] as string);

/** The results as JUnit XML: a suite for each file of cases, an error for each mistake in one. */
export function junitXml({ results, problems }: TestReport): string {
  const files = [...new Set([...results, ...problems].map((r) => r.file))];
  const failures = results.filter((r) => r.failures.length > 0).length;
  const suites = files.map((file) => {
    const own = results.filter((r) => r.file === file);
    const wrong = problems.filter((p) => p.file === file);
    const cases = own.map((r) => {
      const head = `    <testcase name="${escaped(r.name)}" classname="${escaped(file)}" file="${escaped(file)}" line="${r.line}" time="0"`;
      const body = r.failures.map((f) => `      <failure message="${escaped(f)}"/>\n`).join('');
      return body === '' ? `${head}/>\n` : `${head}>\n${body}    </testcase>\n`;
    });
    const errors = wrong.map(
      (p) =>
        `    <testcase name="${escaped(`${file}:${p.line}:${p.column}`)}" classname="${escaped(file)}" time="0">\n      <error message="${escaped(p.message)}"/>\n    </testcase>\n`,
    );
    const failed = own.filter((r) => r.failures.length > 0).length;
    return `  <testsuite name="${escaped(file)}" tests="${own.length + wrong.length}" failures="${failed}" errors="${wrong.length}" time="0">\n${[...cases, ...errors].join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="tollgate" tests="${results.length + problems.length}" failures="${failures}" errors="${problems.length}">\n${suites.join('')}</testsuites>\n`;
}
