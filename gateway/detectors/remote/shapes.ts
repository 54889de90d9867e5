import type { Finding } from '../../domain/finding.ts';
import { isArray, type Json, member } from '../../domain/json.ts';
import { unitOffsets } from './unit-offsets.ts';

export interface ShapeTerms {
  /** the detector's name: kinds begin with it */
  readonly name: string;
  /** as the classifier calls them; undefined: whatever it reports */
  readonly kinds: readonly string[] | undefined;
  readonly language: string;
  readonly minScore: number;
}

/** How a classifier is asked about one text, and what its answer means. */
export interface Shape {
  readonly request: (text: string, terms: ShapeTerms) => Json;
  /** Throws a TypeError on an answer that is not of this shape. */
  readonly findings: (answer: Json, text: string, terms: ShapeTerms) => readonly Finding[];
}

/** The kind as rules write it. */
export const kindOf = (name: string, said: string): string => `${name}.${said.toLowerCase()}`;

/**
 * Microsoft Presidio's analyzer, `POST /analyze`: https://microsoft.github.io/presidio/api-docs/api-docs.html. Offsets are those of a
 * Python text, so code points.
 */
const presidio: Shape = {
  request: (text, { kinds, language, minScore }) => ({
    text,
    language,
    score_threshold: minScore,
    ...(kinds && { entities: kinds }),
  }),
  findings: (answer, text, terms) => {
    if (!isArray(answer)) throw new TypeError('no list');
    return placed(text, terms, answer, 'entity_type', 'score');
  },
};

/** Our own: `{ "text": … }` is answered by `{ "findings": [{ "kind", "start", "end", "confidence" }] }`; without a place the whole text is meant. */
const tollgate: Shape = {
  request: (text) => ({ text }),
  findings: (answer, text, terms) => {
    const found = member(answer, 'findings');
    if (!isArray(found)) throw new TypeError('no `findings`');
    return placed(text, terms, found, 'kind', 'confidence');
  },
};

export const SHAPES = { presidio, tollgate } as const;

function placed(
  text: string,
  terms: ShapeTerms,
  found: readonly Json[],
  kindName: string,
  scoreName: string,
): Finding[] {
  const unitAt = unitOffsets(text);
  const findings: Finding[] = [];
  for (const one of found) {
    const kind = member(one, kindName);
    const score = member(one, scoreName) ?? 1;
    if (typeof kind !== 'string' || kind === '' || kind.length > 128 || typeof score !== 'number')
      throw new TypeError('a finding without a kind, or with a score that is no number');
    const [from, to] = [member(one, 'start'), member(one, 'end')];
    const whole = from === undefined && to === undefined && kindName === 'kind' && text !== '';
    const start = whole ? 0 : unitAt(from);
    const end = whole ? text.length : unitAt(to);
    if (start === undefined || end === undefined || start >= end) throw new TypeError('a finding outside of the text');
    if (score >= terms.minScore)
      findings.push({ kind: kindOf(terms.name, kind), start, end, confidence: Math.min(1, Math.max(0, score)) });
  }
  return findings.sort((a, b) => a.start - b.start || b.end - a.end);
}

/** The kinds a Presidio analyzer knows out of the box: https://microsoft.github.io/presidio/supported_entities/. */
export const PRESIDIO_KINDS: readonly string[] = (
  'CREDIT_CARD CRYPTO DATE_TIME EMAIL_ADDRESS IBAN_CODE IP_ADDRESS MAC_ADDRESS NRP LOCATION PERSON ORGANIZATION PHONE_NUMBER ' +
  'MEDICAL_LICENSE URL US_BANK_NUMBER US_DRIVER_LICENSE US_ITIN US_MBI US_NPI US_PASSPORT US_SSN UK_NHS UK_NINO UK_PASSPORT ' +
  'UK_POSTCODE ES_NIF ES_NIE IT_FISCAL_CODE IT_DRIVER_LICENSE IT_VAT_CODE IT_PASSPORT IT_IDENTITY_CARD PL_PESEL SG_NRIC_FIN SG_UEN ' +
  'AU_ABN AU_ACN AU_TFN AU_MEDICARE IN_PAN IN_AADHAAR IN_VEHICLE_REGISTRATION IN_VOTER IN_PASSPORT IN_GSTIN ' +
  'FI_PERSONAL_IDENTITY_CODE KR_RRN KR_PASSPORT TH_TNIN'
).split(' ');
