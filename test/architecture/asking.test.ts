import { expect, test } from 'vitest';
import { filesMatching, withoutComments } from './source-tree.ts';

const JUDGES = /import \{[^}]*\bjudge\b[^}]*\} from '[./]+\/judgement\.ts'/;
const ASKS = /import \{[^}]*\bask\b[^}]*\} from '[./]+\/ask\.ts'/;

/** They judge actions without any text, so there is nothing to ask about. */
const WITHOUT_TEXT = ['gateway/pipeline/mcp/listen.ts', 'gateway/pipeline/mcp/pass-unread.ts'];

const judging = () =>
  filesMatching(/^gateway\/.*\.ts$/)
    .map(({ path, text }) => ({ path, text: withoutComments(text) }))
    .filter(({ text }) => JUDGES.test(text));

test('whoever judges asks remote detectors first (ADR 28), or has nothing to ask about', () => {
  const silent = judging().filter(({ text }) => !ASKS.test(text));
  expect(silent.map(({ path }) => path)).toEqual(WITHOUT_TEXT);
  for (const { path, text } of silent) {
    const judged = text.match(/\bpoint\b[^{}]*\bparts: \[\]/g) ?? [];
    expect(judged, `${path} judges an action with text, so it has to ask`).toHaveLength(
      text.match(/\bjudge\(/g)?.length ?? 0,
    );
  }
});

test('the doors that judge are found', () => {
  expect(judging().map(({ path }) => path)).toEqual(
    expect.arrayContaining(['gateway/pipeline/decide.ts', 'gateway/pipeline/mcp/judge-message.ts']),
  );
});
