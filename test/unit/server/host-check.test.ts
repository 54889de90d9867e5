import { describe, expect, it } from 'vitest';
import { hostCheck } from '../../../gateway/server/host-check.ts';

const check = hostCheck({
  listen: '0.0.0.0',
  hosts: ['gate.example.com', 'Tools.Example.com:8443'],
  origins: ['https://app.example.com/', 'http://localhost:6274'],
});

describe('Host and Origin', () => {
  it.each([
    'localhost',
    'localhost:8787',
    'LOCALHOST:1',
    '127.0.0.1:8787',
    '127.9.9.9',
    '[::1]:8787',
    'gate.example.com',
    'GATE.example.com:443',
    'tools.example.com:8443',
  ])('Host `%s` is served', (host) => {
    expect(() => check({ host })).not.toThrow();
  });

  it.each([
    'evil.example',
    'evil.example:8787',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    'xlocalhost',
    '0.0.0.0:8787',
    '[::]',
    'tools.example.com',
    'tools.example.com:1',
    'gate.example.com.',
    '169.254.169.254',
    '',
    'localhost:80:80',
    'user@localhost',
    undefined,
  ])('Host `%s` is not', (host) => {
    expect(() => check({ host })).toThrow(expect.objectContaining({ code: 'TG_FOREIGN_ORIGIN', status: 403 }));
  });

  it.each(['http://localhost:8787', 'https://localhost:8787', 'https://app.example.com', 'http://localhost:6274'])(
    'Origin `%s` may call',
    (origin) => {
      expect(() => check({ host: 'localhost:8787', origin })).not.toThrow();
    },
  );

  it.each([
    'null',
    '',
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com:444',
    'https://app.example.com.evil.example',
    'http://localhost',
    'http://localhost:3000',
    'http://127.0.0.1:8787',
    'file://',
  ])('Origin `%s` may not', (origin) => {
    expect(() => check({ host: 'localhost:8787', origin })).toThrow(
      expect.objectContaining({ code: 'TG_FOREIGN_ORIGIN' }),
    );
  });

  it('a listening address is a Host, an IPv6 one in brackets', () => {
    expect(() => hostCheck({ listen: '10.1.2.3', hosts: [], origins: [] })({ host: '10.1.2.3:8787' })).not.toThrow();
    expect(() => hostCheck({ listen: 'fd00::1', hosts: [], origins: [] })({ host: '[fd00::1]:8787' })).not.toThrow();
    expect(() => hostCheck({ listen: '::', hosts: [], origins: [] })({ host: '[::]:8787' })).toThrow('not served here');
  });

  it('two Origins are none', () => {
    expect(() => check({ host: 'localhost', origin: ['http://localhost', 'http://localhost'] })).toThrow(
      'Origin may not call',
    );
  });
});
