/** Whether PostgreSQL can keep this: it has no word for U+0000, nor for half of a surrogate pair. Pure. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

/** The same text with U+FFFD in the place of each character that can't be kept. Pure. */
export function storableText(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, "\u{FFFD}");
}
