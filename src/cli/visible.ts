/** What a terminal acts on instead of showing it, line breaks aside: control characters, and what turns the direction of writing. */
const ACTED_ON = /(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** A text that may hold what others have written, so that all of it is seen and none of it steers the terminal. As JSON it stays the same value. */
export function visible(text: string): string {
  return text.replace(ACTED_ON, escaped);
}

/** The same of what is to stand on one line. */
export function onOneLine(text: string): string {
  return visible(text).replaceAll("\n", escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
