/** The name of a content block inside one reply; `message` counts the messages before it in the same stream. */
export function slotOf(index: number, message = 0): string {
  return message === 0 ? `block/${index}` : `message/${message}/block/${index}`;
}
