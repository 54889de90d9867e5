const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;

const escaped = (char: string): string =>
  [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');

/** Text from outside as people may look at it: what nobody would see, or what moves a terminal's cursor, stands as a JSON escape. */
export const visibleText = (text: string): string => text.replaceAll(UNSEEN, escaped);

/** The same, cut to `length` characters where it is longer. */
export function visibleStart(text: string, length: number): string {
  const chars = [...text.slice(0, 2 * length + 2)];
  return chars.length <= length && text.length <= 2 * length + 2
    ? visibleText(text)
    : `${visibleText(chars.slice(0, length).join(''))}…`;
}
