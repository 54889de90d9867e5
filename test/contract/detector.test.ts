import { expect, it } from 'vitest';
import { detectors } from '../../gateway/detectors/_all.ts';
import { type DetectorCase, detectorContract } from './detector.ts';
import { NOSE_SAMPLES } from './nose-samples.ts';
import { SECRET_SAMPLES } from './secret-samples.ts';

type Corpus = Omit<DetectorCase, 'detector'>;

const CORPORA: Readonly<Record<string, Corpus>> = {
  ...NOSE_SAMPLES,
  secrets: {
    planted: SECRET_SAMPLES.map((sample) => ({ ...sample, kind: `secret.${sample.kind}` })),
    hard: [
      'token=',
      'password="a1',
      'eyJaaaaaaaa.',
      '-----BEGIN ',
      `-----BEGIN PRIV${'ATE KEY'}-----`,
      `-----BEGIN PRIV${'ATE KEY'}-----\n${'MIIE'.repeat(11)}`,
      'a://',
      'a://b:c',
      'bearer ',
      'cloudflare ',
      'basic aaaaaaaaaaaa ',
      'a',
      '%20',
      '\\n',
    ],
  },
};

for (const detector of detectors) {
  const corpus = CORPORA[detector.name];
  it(`${detector.name} has a corpus`, () => expect(corpus).toBeDefined());
  if (corpus !== undefined) detectorContract({ detector, ...corpus });
}
