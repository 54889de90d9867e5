const STANDS_FOR_ANOTHER =
  /example|placeholder|change_?me|your[_-]|my[_-]?(?:password|secret|token|key)|xxxx|\*\*\*|\.\.\.|redacted|masked|hidden|removed|dummy|sample|replace|insert|todo|fixme|foobar|lorem|test_?(?:password|secret|token|key)|fake|undefined|null|none$|^(?:true|false|string|number|boolean)/;

const WORDS =
  /^(?:password|passwd|pass|passphrase|pwd|secret|token|key|apikey|api_key|credentials?|admin|root|user|guest|postgres|default)[\d!]{0,4}$/;

/** The longest stretch of characters that follow each other: `12345678`, `abcdef`. */
function longestSequence(text: string): number {
  let longest = 1;
  for (let i = 1, run = 1; i < text.length; i += 1) {
    run = text.charCodeAt(i) === text.charCodeAt(i - 1) + 1 ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

/** True where a value stands for a secret and is none: `changeme`, `your_token`, `abcdefgh`, `password1`, `aaaaaaaa`. */
export function isPlaceholder(value: string): boolean {
  const lower = value.toLowerCase();
  return (
    STANDS_FOR_ANOTHER.test(lower) ||
    WORDS.test(lower) ||
    new Set(lower).size < 4 ||
    longestSequence(lower) * 2 > lower.length
  );
}
