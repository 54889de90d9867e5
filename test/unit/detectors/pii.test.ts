import { describe, expect, it } from 'vitest';
import { EUROPE } from '../../../gateway/detectors/pii/europe.ts';
import { WORLD } from '../../../gateway/detectors/pii/world.ts';
import { pii } from '../../../gateway/detectors/pii.ts';

const seen = (text: string): string[] =>
  pii.scan(text).map(({ kind, start, end }) => `${kind}=${text.slice(start, end)}`);

/** Published sample numbers, each beside its own name. */
const SAMPLES: Readonly<Record<string, string>> = {
  de_tax_id: 'Steuer-ID 86095742719',
  fr_nir: 'NIR 185057800608491',
  es_dni: 'DNI 12345678Z',
  es_nie: 'NIE X1234567L',
  it_codice_fiscale: 'codice fiscale RSSMRA85T10A562S',
  nl_bsn: 'BSN 111222333',
  be_national_number: 'rijksregisternummer 85.07.30-033.28',
  pl_pesel: 'PESEL 44051401359',
  se_personnummer: 'personnummer 811228-9874',
  fi_hetu: 'HETU 131052-308T',
  uk_nino: 'NINO AB123456C',
  uk_nhs: 'NHS 943 476 5919',
  pt_nif: 'NIF 123456789',
  ch_ahv: 'AHV 756.9217.0769.85',
  at_svnr: 'Sozialversicherungsnummer 1237 010180',
  br_cpf: 'CPF 529.982.247-25',
  in_aadhaar: 'Aadhaar 2341 2341 2346',
  cn_resident_id: '身份证 11010519491231002X',
  ca_sin: 'SIN 046 454 286',
  au_tfn: 'TFN 123 456 782',
  tr_kimlik: 'kimlik 10000000146',
  mx_curp: 'CURP HEGG560427MVZRRL04',
  za_id: 'identity 8001015009087',
};

/** The same with one digit of the number changed, so that the sum is wrong. */
function spoilt(sample: string): string {
  const at = sample.search(/\d\D*\d\D*$/);
  return `${sample.slice(0, at)}${(Number(sample[at]) + 1) % 10}${sample.slice(at + 1)}`;
}

describe('pii: national numbers', () => {
  it.each(Object.entries(SAMPLES))(
    '%s is certain beside its name, and nothing with a wrong checksum',
    (kind, sample) => {
      const number = sample.slice(sample.search(/[A-Z]?\d|RSSM|AB1|HEGG|X1/));
      const findings = pii.scan(sample);
      expect(findings).toEqual([
        { kind: `pii.${kind}`, start: sample.length - number.length, end: sample.length, confidence: 1 },
      ]);
      if (kind !== 'uk_nino')
        expect(pii.scan(spoilt(sample)).filter((finding) => finding.kind === `pii.${kind}`)).toEqual([]);
    },
  );

  it('has at least 30 countries’ numbers, each kind once', () => {
    expect(EUROPE.length + WORLD.length).toBeGreaterThanOrEqual(30);
    expect(new Set(pii.kinds).size).toBe(pii.kinds.length);
  });

  it('digits that many other numbers share count only beside their name', () => {
    expect(seen('order 44051401359, batch 111222333, lot 86095742719')).toEqual([]);
    expect(seen('PESEL: 44051401359')).toEqual(['pii.pl_pesel=44051401359']);
  });
});

describe('pii: cards and accounts', () => {
  it.each([
    '4111 1111 1111 1111',
    '5555-5555-5555-4444',
    '378282246310005',
    '3714 496353 98431',
    '6011111111111117',
    '2223003122003222',
  ])('card %s', (card) => {
    expect(seen(`pay with ${card}, thanks`)).toEqual([`pii.card=${card}`]);
  });

  it.each([
    '4111 1111 1111 1112',
    '9111111111111111',
    '0000000000000000',
    '4111 11111111 1111',
    '490154203237518',
    '1700000000000',
    '41111111111111110',
  ])('no card: %s', (text) => {
    expect(seen(text)).toEqual([]);
  });

  it.each([
    'DE89370400440532013000',
    'GB29 NWBK 6016 1331 9268 19',
    'FR14 2004 1010 0505 0001 3M02 606',
    'NO9386011117947',
    'MT84MALT011000012345MTLCAST001S',
  ])('iban %s', (iban) => {
    expect(seen(`to ${iban}.`)).toEqual([`pii.iban=${iban}`]);
  });

  it('an account with a wrong checksum, length or country is none', () => {
    expect(seen('DE89370400440532013001 DE8937040044053201300 ZZ89370400440532013000')).toEqual([]);
  });
});

describe('pii: ways to reach somebody', () => {
  it.each([
    ["mail john.o'brien+x@mail.co.uk now", "pii.email=john.o'brien+x@mail.co.uk"],
    ['jürgen@müller-bau.de', 'pii.email=jürgen@müller-bau.de'],
    ['anna [at] web [dot] de', 'pii.email=anna [at] web [dot] de'],
    ['call +44 (0)20 7946 0958 or', 'pii.phone=+44 (0)20 7946 0958'],
    ['Tel.: 030 / 1234567, ', 'pii.phone=030 / 1234567'],
    ['(415) 555-2671', 'pii.phone=(415) 555-2671'],
    ['06 12 34 56 78', 'pii.phone=06 12 34 56 78'],
    ['from 81.2.69.142:443', 'pii.ip=81.2.69.142'],
    ['DOB: July 4, 1976', 'pii.date_of_birth=July 4, 1976'],
    ['Hauptstraße 12a', 'pii.address=Hauptstraße 12a'],
  ])('%s', (text, expected) => {
    expect(seen(text)).toEqual([expected]);
  });

  it.each([
    'git@github.com:a/b icon@2x.png pkg@1.2.3 @types/node user@host https://u@host.test/ https://u:p@host.test/',
    '10.0.0.1 127.0.0.1 192.168.1.1 8.8.8.8 1.2.3.4 v10.20.30.40 nginx/1.25.3.40 1.3.6.1.4.1.311',
    '550e8400-e29b-41d4-a716-446655440000 12345678-1234-1234-1234-123456789012',
    '2026-03-04T12:34:56.789Z 1767225600 1767225600123456789 0.4111111111111111 0x4111111111111111',
    'Released July 4, 2026; updated 03/07/2025; fought on 18 June 1815',
    'Requiring 2, Brigade 3, Verkäufer 4, Arbeitsplatz 5, 5 Easy Pieces, 10 km drive',
    '+1234567 +999999999999 -4155552671 404 404 4040 1-800',
  ])('nothing in: %s', (text) => {
    expect(seen(text)).toEqual([]);
  });
});
