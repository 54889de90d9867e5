import type { Marker } from './rule.ts';

const INVISIBLE =
  /\u{1F3F4}[\u{E0020}-\u{E007E}]{2,8}\u{E007F}|[\u{E0000}-\u{E007F}]{1,512}|[\ufe00-\ufe0f\u{E0100}-\u{E01EF}]{2,512}|[\u200b-\u200d\u2060-\u2064\u180e\ufeff]{1,512}|[\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]/gu;
const ODD = /[\u180e\u200b\u200c\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\u200d|[\ufe00-\ufe0f]|[\ud800-\udfff]/;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const LATIN = /[A-Za-z0-9]/;

function invisibility(text: string, run: string, at: number): number | undefined {
  const first = run.codePointAt(0) ?? 0;
  if (first === 0x1f3f4) return undefined;
  if (first >= 0xe0000 && first <= 0xe007f) return 0.98;
  if (first >= 0xe0100 || (first >= 0xfe00 && first <= 0xfe0f)) return 0.9;
  if (first >= 0xfff9 && first <= 0xfffb) return 0.8;
  if ((first >= 0x202a && first <= 0x202e) || (first >= 0x2066 && first <= 0x2069)) {
    const around = text.slice(Math.max(0, at - 120), at + 120);
    return RIGHT_TO_LEFT.test(around) || first === 0x202c
      ? undefined
      : first === 0x202d || first === 0x202e
        ? 0.9
        : 0.6;
  }
  if (run.length >= 3) return 0.9;
  return LATIN.test(text.charAt(at - 1)) && LATIN.test(text.charAt(at + run.length)) ? 0.75 : undefined;
}

/** Characters nobody sees: tags, runs of zero-width characters and variation selectors, zero width inside Latin words, forced direction in text that has no right-to-left letter. */
export function invisibles(text: string, onMarker: (marker: Marker) => void): void {
  if (!ODD.test(text)) return;
  for (const match of text.matchAll(INVISIBLE)) {
    const confidence = invisibility(text, match[0], match.index);
    if (confidence !== undefined)
      onMarker({ kind: 'invisible', start: match.index, end: match.index + match[0].length, confidence });
  }
}

const LOOKALIKES = new Map<string, string>(
  Object.entries({
    а: 'a',
    е: 'e',
    о: 'o',
    р: 'p',
    с: 'c',
    у: 'y',
    х: 'x',
    і: 'i',
    ј: 'j',
    ѕ: 's',
    ԁ: 'd',
    ԛ: 'q',
    ԝ: 'w',
    һ: 'h',
    ѵ: 'v',
    ь: 'b',
    п: 'n',
    т: 't',
    к: 'k',
    м: 'm',
    в: 'b',
    н: 'h',
    г: 'r',
    ӏ: 'l',
    А: 'a',
    В: 'b',
    Е: 'e',
    К: 'k',
    М: 'm',
    Н: 'h',
    О: 'o',
    Р: 'p',
    С: 'c',
    Т: 't',
    У: 'y',
    Х: 'x',
    І: 'i',
    Ѕ: 's',
    Ј: 'j',
    α: 'a',
    ο: 'o',
    ν: 'v',
    ι: 'i',
    ρ: 'p',
    κ: 'k',
    υ: 'u',
    τ: 't',
    ε: 'e',
    η: 'n',
    ω: 'w',
    χ: 'x',
    γ: 'y',
    Α: 'a',
    Β: 'b',
    Ε: 'e',
    Ζ: 'z',
    Η: 'h',
    Ι: 'i',
    Κ: 'k',
    Μ: 'm',
    Ν: 'n',
    Ο: 'o',
    Ρ: 'p',
    Τ: 't',
    Υ: 'y',
    Χ: 'x',
    ɑ: 'a',
    ɡ: 'g',
    ı: 'i',
    ʏ: 'y',
    ѐ: 'e',
    օ: 'o',
    ո: 'n',
    ս: 'u',
    հ: 'h',
  }),
);
const COMMANDS = new Set(
  'ignore ignored disregard forget override bypass system assistant developer admin administrator root prompt prompts instruction instructions previous prior password passwords passwd secret secrets token tokens credential credentials apikey send forward delete remove execute exec invoke upload download transfer payment wallet user human tool tools function command commands reveal print output login signin verify account security google microsoft apple paypal amazon github openai anthropic'.split(
    ' ',
  ),
);
const WORD = /[\p{L}\p{N}]{3,32}/gu;
const MATHS = /[\u{1D400}-\u{1D7FF}]/u;
const CONFUSABLE = /[\u0131\u0251\u0261\u028f\u0370-\u058f\u{1D400}-\u{1D7FF}]/u;

/** Words that look like Latin commands and are spelt with letters of other scripts. */
export function homoglyphs(text: string, onMarker: (marker: Marker) => void): void {
  if (!CONFUSABLE.test(text)) return;
  for (const match of text.matchAll(WORD)) {
    const word = match[0];
    if (!CONFUSABLE.test(word)) continue;
    const plain = MATHS.test(word) ? word.normalize('NFKC') : word;
    const read = [...plain]
      .map((char) => LOOKALIKES.get(char) ?? char)
      .join('')
      .toLowerCase();
    if (COMMANDS.has(read))
      onMarker({ kind: 'homoglyph', start: match.index, end: match.index + word.length, confidence: 0.95 });
  }
}
