import { isPlaceholder } from './placeholder.ts';
import type { SecretRule } from './rule.ts';

const VALUE = `["'\`«„“]?([\\w\\-.~+/=%:@!#$^*?&]{6,120})`;
/** `the password is: x`, `mot de passe est x`, `Passwort: x`; the last group is the value. Something stands between: base64 has `senha` in it. */
const SAID = new RegExp(
  `[a-zñ]{0,3}(?:[ \\t]{1,4}(?:is|ist|est|es|é|er|lautet|now|again)){0,2}(?:[ \\t]{0,4}[:=][ \\t]{0,4}|[ \\t]{1,4})${VALUE}`,
  'iy',
);
const SSHPASS = new RegExp(`(?:[ \\t]{1,4}-[a-z])?[ \\t]{0,4}-p[ \\t]{0,4}${VALUE}`, 'iy');
const LOGIN_PAIR = /[ \t]{0,4}["'][^"'\n]{1,80}["'][ \t]{0,4},[ \t]{0,4}["']([^"'\n]{6,120})/iy;

/** A word of prose is no password: one has a digit beside a letter, and a mark or both cases. */
function looksChosen(value: string): boolean {
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value) || /^[\w-]+\.[a-z]{2,4}$/i.test(value)) return false;
  return /[^\w.:/-]/.test(value) || (/[a-z]/.test(value) && /[A-Z]/.test(value)) || /[a-z]\d+[a-z]/i.test(value);
}

function spoken(anchors: readonly string[], pattern: RegExp): SecretRule {
  return {
    kind: 'password',
    anchors,
    reach: 'words',
    find(text, _start, end) {
      pattern.lastIndex = end;
      const match = pattern.exec(text);
      const value = match?.[1]?.replace(/[.:?]+$/, '') ?? '';
      if (!match || value.length < 6 || isPlaceholder(value) || !looksChosen(value)) return undefined;
      const from = end + match[0].lastIndexOf(match[1] as string);
      return { start: from, end: from + value.length, confidence: 0.6 };
    },
  };
}

/** Passwords told in words or given to a program, with no `name = value` around them. */
export const SPOKEN: readonly SecretRule[] = [
  spoken(
    [
      'password is',
      'passphrase is',
      'passcode is',
      'pwd is',
      'mot de passe',
      'passwort',
      'kennwort',
      'contrase',
      'senha',
      'wachtwoord',
    ],
    SAID,
  ),
  spoken(['sshpass'], SSHPASS),
  spoken(['auth=('], LOGIN_PAIR),
];
