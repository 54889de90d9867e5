import type { Finding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import { withoutOverlap } from './_shared/without-overlap.ts';
import { deedsIn } from './shell/judge.ts';
import { ShellParser } from './shell/parse.ts';

const KINDS = ['credential_access', 'destructive', 'exfiltration', 'persistence', 'privilege', 'remote_code'];
const LOOK_BEHIND = 4_096;

function scan(text: string): readonly Finding[] {
  return withoutOverlap(
    deedsIn(text)
      .filter(({ start, end }) => end > start)
      .map(({ kind, start, end, confidence }): Finding => ({ kind: `shell.${kind}`, start, end, confidence })),
  );
}

/** A command ends with its line, unless the line goes on or something in it is still open. */
function holdFrom(text: string): number {
  const least = Math.max(0, text.length - LOOK_BEHIND);
  let line = text.lastIndexOf('\n') + 1;
  if (line <= least) return least;
  const parser = new ShellParser(text);
  parser.parse();
  if (parser.unclosed < line) line = text.lastIndexOf('\n', parser.unclosed) + 1;
  while (line > 1 && text.charAt(line - 2) === '\\') line = text.lastIndexOf('\n', line - 2) + 1;
  return Math.max(least, line);
}

/** Commands that destroy, carry data out, run what others wrote, read credentials, stay or take rights. For texts that are shell commands; parsed as a shell reads them. */
export const shell: Detector = {
  name: 'shell',
  kinds: KINDS.map((kind) => `shell.${kind}`),
  scan,
  holdFrom,
  lookBehind: LOOK_BEHIND,
};
