import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { url } from '../../../gateway/detectors/url.ts';

const seen = (text: string): string[] =>
  url.scan(text).map(({ kind, start, end }) => `${kind}=${text.slice(start, end)}`);

describe('url: hosts', () => {
  const octet = fc.nat({ max: 255 });
  const inside = fc.oneof(
    fc.tuple(fc.constant(10), octet, octet, octet),
    fc.tuple(fc.constant(127), octet, octet, octet),
    fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
    fc.tuple(fc.constant(100), fc.integer({ min: 65, max: 127 }), octet, octet),
  );
  const spellings = ([a, b, c, d]: readonly number[]): string[] => {
    const [w = 0, x = 0, y = 0, z = 0] = [a, b, c, d];
    const number = ((w << 24) >>> 0) + (x << 16) + (y << 8) + z;
    const hex = (n: number): string => n.toString(16);
    return [
      `${w}.${x}.${y}.${z}`,
      `${number}`,
      `0x${hex(number)}`,
      `0${w.toString(8)}.0${x.toString(8)}.0${y.toString(8)}.0${z.toString(8)}`,
      `0x${hex(w)}.${(x << 16) + (y << 8) + z}`,
      `${w}.${x}.${(y << 8) + z}`,
      `[::ffff:${w}.${x}.${y}.${z}]`,
      `[::ffff:${hex((w << 8) + x)}:${hex((y << 8) + z)}]`,
      `[64:ff9b::${hex((w << 8) + x)}:${hex((y << 8) + z)}]`,
    ];
  };

  it('every private IPv4 address is private in every spelling', () => {
    fc.assert(
      fc.property(inside, (octets) => {
        for (const host of spellings(octets)) expect(seen(`http://${host}/x`)).toEqual([`url.private=${host}`]);
      }),
      { numRuns: 200 },
    );
  });

  it('the metadata address is found in every spelling', () => {
    for (const host of spellings([169, 254, 169, 254]))
      expect(seen(`http://${host}/latest`)).toEqual([`url.metadata=${host}`]);
  });

  it.each([
    ['http://[fd00:ec2::254]/', 'url.metadata=[fd00:ec2::254]'],
    ['http://metadata.google.internal./x', 'url.metadata=metadata.google.internal.'],
    ['curl 169.254.169.254/latest', 'url.metadata=169.254.169.254'],
    ['http://[fe80::1]/', 'url.private=[fe80::1]'],
    ['http://LOCALHOST:1/', 'url.private=LOCALHOST'],
    ['https://93.184.216.34/', 'url.ip_literal=93.184.216.34'],
    ['https://xn--pple-43d.com/', 'url.punycode=xn--pple-43d.com'],
    ['https://pаypal.com/', 'url.punycode=pаypal.com'],
    ['file:///etc/passwd', 'url.dangerous_scheme=file:///etc/passwd'],
    ['javascript:alert(1)', 'url.dangerous_scheme=javascript:alert(1)'],
  ])('%s', (text, expected) => {
    expect(seen(text)).toEqual([expected]);
  });

  it('what one address does wrong is told part by part', () => {
    const data = Buffer.from('user=ana; the whole list of them').toString('base64');
    expect(seen(`(http://root:toor9@10.0.0.1:80/x?d=${data}#y)`)).toEqual([
      'url.credentials=root:toor9',
      'url.private=10.0.0.1',
      `url.data_in_query=${data}`,
    ]);
  });

  it.each([
    'https://example.com/path?x=1&y=2#frag https://münchen.de/ https://例え.jp/',
    'git@github.com:a/b ssh://git@github.com/a/b https://acme.test/@10.0.0.1/ https://acme.test/http://10.0.0.1/',
    'at run (file:///srv/app/x.mjs:120:7) data: { a: 1 }, file: "x" javascript: the good parts',
    'http://\x24{HOST}:80/ https://<token>@github.com/ http:// https:// a::b c://',
    `https://a.test/?state=${'aB3'.repeat(20)}&utm_campaign=${'x'.repeat(80)}&q=${'word+'.repeat(30)}`,
  ])('nothing in: %s', (text) => {
    expect(seen(text)).toEqual([]);
  });
});
