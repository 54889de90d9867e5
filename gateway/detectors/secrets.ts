import type { Finding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import { compileAnchors } from './_shared/anchors.ts';
import { withoutOverlap } from './_shared/without-overlap.ts';
import { CLOUD } from './secrets/cloud.ts';
import { CODE } from './secrets/code.ts';
import { GENERIC } from './secrets/generic.ts';
import { SERVICES } from './secrets/hosted.ts';
import { MODELS } from './secrets/models.ts';
import { NAMED } from './secrets/named.ts';
import { openBlock, PRIVATE_KEY } from './secrets/private-key.ts';
import type { SecretRule } from './secrets/rule.ts';
import { SPOKEN } from './secrets/spoken.ts';
import { URL_PASSWORD } from './secrets/url-password.ts';

const RULES: readonly SecretRule[] = [
  ...CLOUD,
  ...CODE,
  ...MODELS,
  ...SERVICES,
  ...NAMED,
  PRIVATE_KEY,
  URL_PASSWORD,
  ...GENERIC,
  ...SPOKEN,
];
const RUN_REACH = 512;
const LONG_REACH = 8_192;
const WORDS_REACH = 160;
const LOOK_BEHIND = 16_384;

interface Anchored {
  readonly rule: SecretRule;
  readonly kind: string;
}

function anchorTable(): { words: string[]; anchored: Anchored[][] } {
  const byWord = new Map<string, Anchored[]>();
  for (const rule of RULES) {
    for (const word of rule.anchors)
      byWord.set(word, [...(byWord.get(word) ?? []), { rule, kind: `secret.${rule.kind}` }]);
  }
  return { words: [...byWord.keys()], anchored: [...byWord.values()] };
}

const { words, anchored } = anchorTable();
const eachAnchor = compileAnchors(words);

function scan(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  eachAnchor(text, 0, text.length, (word, start, end) => {
    for (const { rule, kind } of anchored[word] ?? []) {
      const sighting = rule.find(text, start, end);
      if (sighting !== undefined) findings.push({ kind, ...sighting });
    }
  });
  return withoutOverlap(findings);
}

const BREAKS = new Set([...'"\'`<>{}[](),'].map((char) => char.charCodeAt(0)));

/** Where the run of token characters at the end of the text begins. */
function runStart(text: string, least: number): number {
  let at = text.length;
  while (at > least) {
    const code = text.charCodeAt(at - 1);
    if (code < 33 || code > 126 || BREAKS.has(code)) break;
    at -= 1;
  }
  return at;
}

/** True where nothing but the way from a name to its value, and a part of the value, stands between `from` and the end of the text. */
function valueMayFollow(text: string, from: number, run: number): boolean {
  let at = from;
  const skip = (chars: RegExp, most: number): void => {
    const limit = Math.min(text.length, at + most);
    while (at < limit && chars.test(text.charAt(at))) at += 1;
  };
  skip(/[\w .-]/, 60);
  skip(/[\\"'`\] \t]/, 16);
  const before = at;
  skip(/[:=>]/, 3);
  if (at > before) skip(/[\\"'` \t]/, 24);
  return at === text.length || at >= run;
}

/** True where the rule behind the anchor in [start, end) could still find something that the text's end cuts. */
function mayReach(rule: SecretRule, text: string, start: number, end: number, run: number): boolean {
  if (rule.reach === 'long' && start >= run) return true;
  if (start < run - WORDS_REACH || rule.reach === 'run') return false;
  return end >= run || valueMayFollow(text, end, run);
}

/** The earliest anchor before `hold` whose rule could still reach over it; `run`: where the last run begins. */
function reaching(text: string, hold: number, run: number): number {
  let earliest = hold;
  eachAnchor(text, Math.max(0, run - WORDS_REACH), text.length, (word, start, end) => {
    if (start >= earliest) return;
    for (const { rule } of anchored[word] ?? []) {
      const near = rule.reach === 'long' || start >= hold - WORDS_REACH;
      if (near && mayReach(rule, text, start, end, run)) earliest = Math.min(earliest, start);
    }
  });
  for (let i = 0; i < 40 && earliest < hold && /[\w-]/.test(text.charAt(earliest - 1)); i += 1) earliest -= 1;
  return text.charAt(earliest - 1) === '<' ? earliest - 1 : earliest;
}

function holdFrom(text: string): number {
  const run = runStart(text, Math.max(0, text.length - LONG_REACH));
  const hold = reaching(text, Math.max(run, text.length - RUN_REACH), run);
  return Math.max(0, text.length - LOOK_BEHIND, Math.min(hold, openBlock(text) ?? hold));
}

/** Credentials of well-known vendors by their form, others by the name they stand behind. */
export const secrets: Detector = {
  name: 'secrets',
  kinds: [...new Set(RULES.map((rule) => `secret.${rule.kind}`))].sort(),
  scan,
  holdFrom,
  lookBehind: LOOK_BEHIND,
};
