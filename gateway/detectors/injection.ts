import type { Finding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import { compileAnchors } from './_shared/anchors.ts';
import { withoutOverlap } from './_shared/without-overlap.ts';
import { homoglyphs, invisibles } from './injection/characters.ts';
import { comments, decodedBlobs, leakyLinks, rotated } from './injection/encoded.ts';
import { inOtherLanguages } from './injection/languages.ts';
import { ORDERS } from './injection/orders.ts';
import { PHRASES } from './injection/phrases.ts';
import { type Marker, type MarkerRule, REACH } from './injection/rule.ts';
import { TAGS } from './injection/tags.ts';

const RULES: readonly MarkerRule[] = [...PHRASES, ...ORDERS, ...TAGS];
const KINDS = [
  'encoded',
  'exfiltration',
  'homoglyph',
  'html_comment',
  'importance',
  'invisible',
  'override',
  'role_tag',
  'secrecy',
  'tool_instruction',
];
const LOOK_BEHIND = 512;

function anchorTable(): { words: string[]; rules: MarkerRule[][] } {
  const byWord = new Map<string, MarkerRule[]>();
  for (const rule of RULES) for (const word of rule.anchors) byWord.set(word, [...(byWord.get(word) ?? []), rule]);
  return { words: [...byWord.keys()], rules: [...byWord.values()] };
}

const { words, rules } = anchorTable();
const eachAnchor = compileAnchors(words);

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;

/** True where a word may begin; the letter of an escape such as `\n` is not part of the word. */
function beginsWord(text: string, at: number): boolean {
  return (
    at === 0 ||
    !isWord(text.charCodeAt(at - 1)) ||
    (text.charCodeAt(at - 2) === 92 && 'nrt'.includes(text.charAt(at - 1)))
  );
}

const beginsLine = (text: string, at: number): boolean =>
  /(?:^|[\n\r]|\\n)[ \t>*]{0,4}$/.test(text.slice(Math.max(0, at - 6), at));

/** Markers that stand in plain words. */
function plainMarkers(text: string, onMarker: (marker: Marker) => void): void {
  eachAnchor(text, 0, text.length, (word, start) => {
    for (const rule of rules[word] ?? []) {
      if (rule.inside !== true && !beginsWord(text, start)) continue;
      if (rule.line === true && !beginsLine(text, start)) continue;
      rule.pattern.lastIndex = start;
      const match = rule.pattern.exec(text);
      if (match === null || match[0].length === 0) continue;
      onMarker({ kind: rule.kind, start, end: start + match[0].length, confidence: rule.confidence });
    }
  });
  inOtherLanguages(text, onMarker);
}

function saysSomething(plain: string): boolean {
  let found = false;
  plainMarkers(plain, () => {
    found = true;
  });
  return found;
}

function scan(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  const add = ({ kind, start, end, confidence }: Marker): void => {
    findings.push({ kind: `injection.${kind}`, start, end, confidence });
  };
  plainMarkers(text, add);
  invisibles(text, add);
  homoglyphs(text, add);
  leakyLinks(text, add);
  comments(text, saysSomething, add);
  for (const blobs of [decodedBlobs(text), rotated(text)]) {
    for (const { start, end, plain } of blobs)
      if (saysSomething(plain)) add({ kind: 'encoded', start, end, confidence: 0.95 });
  }
  return withoutOverlap(findings);
}

const OPEN_TAIL =
  /<!--(?:(?!-->)[\s\S]){0,500}$|!?\[[^\]\n]{0,80}(?:\](?:\([^\s)]{0,400})?)?$|\b(?:vtaber|qvfertneq|sbetrg|bireevqr|olcnff)\b[a-zA-Z ,]{0,160}$/i;
const SPACED =
  /[^\p{ASCII}]|\b(?:ignor|vergiss|oubli|olvid|descarta|dimentica|desconsidere|negeer|vergeet|zignoruj|zapomnij|sage?|verrate|no|ne)/iu;

/** Where the phrase that another language may be in the middle of begins. */
function foreignTail(text: string, least: number): number {
  const tail = text.slice(least);
  if (tail.endsWith('\n')) return text.length;
  const at = tail.search(SPACED);
  return at === -1 ? text.length : least + at;
}

function holdFrom(text: string): number {
  const least = Math.max(0, text.length - LOOK_BEHIND);
  let hold = text.length;
  while (hold > least && text.charCodeAt(hold - 1) > 32) hold -= 1;
  const near = Math.max(least, text.length - REACH);
  const sentence = text.endsWith('\n') ? text.length : text.slice(near).lastIndexOf('\n') + 1 + near;
  hold = Math.min(hold, text.endsWith('\n') ? hold : Math.max(sentence, Math.max(least, text.length - 64)));
  eachAnchor(text, near, text.length, (_, start) => {
    hold = Math.min(hold, start);
  });
  const open = OPEN_TAIL.exec(text.slice(least));
  if (open !== null) hold = Math.min(hold, least + open.index);
  hold = Math.min(hold, foreignTail(text, Math.max(least, text.length - 120)));
  while (hold > least && text.charCodeAt(hold - 1) > 32) hold -= 1;
  return hold;
}

/** Text that addresses the model where data should be: marks of R3 in flows.md. Finds what is said; what it is worth is the rule's business. */
export const injection: Detector = {
  name: 'injection',
  kinds: KINDS.map((kind) => `injection.${kind}`),
  scan,
  holdFrom,
  lookBehind: LOOK_BEHIND,
};
