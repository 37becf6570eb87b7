/**
 * Whether ignoring case leaves a text the same text. Some letters become others' by it: the Kelvin sign is a k in lower case, so that
 * whoever writes a name with it would be whoever has that name with a k.
 */
export function keepsItsLetters(text: string): boolean {
  if (!/[^ -~]/.test(text)) return true;
  return [...text].every((letter) => {
    const lower = letter.toLowerCase();
    return lower === letter || lower.toUpperCase() === letter;
  });
}
