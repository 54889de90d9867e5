import type { Finding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import { withoutOverlap } from './_shared/without-overlap.ts';
import { deedsIn } from './shell/judge.ts';

const KINDS = ['credential_access', 'destructive', 'exfiltration', 'persistence', 'privilege', 'remote_code'];
const LOOK_BEHIND = 4_096;

function scan(text: string): readonly Finding[] {
  return withoutOverlap(
    deedsIn(text)
      .filter(({ start, end }) => end > start)
      .map(({ kind, start, end, confidence }): Finding => ({ kind: `shell.${kind}`, start, end, confidence })),
  );
}

/** A command ends with its line. */
function holdFrom(text: string): number {
  return Math.max(0, text.length - LOOK_BEHIND, text.lastIndexOf('\n') + 1);
}

/** Commands that destroy, carry data out, run what others wrote, read credentials, stay or take rights. For texts that are shell commands; parsed as a shell reads them. */
export const shell: Detector = {
  name: 'shell',
  kinds: KINDS.map((kind) => `shell.${kind}`),
  scan,
  holdFrom,
  lookBehind: LOOK_BEHIND,
};
