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

/**
 * A text in lower case as lower() of the database has it: letter by letter, whatever stands around (Σ is σ, also where a Greek word
 * ends), each becoming one letter (İ is i). What is asked of it there and here has one answer.
 */
export function lowerLetters(text: string): string {
  if (!/[^ -~]/.test(text)) return text.toLowerCase();
  return [...text].map((letter) => (letter === "İ" ? "i" : letter.toLowerCase())).join("");
}
