/** What a person's data is held against: shorter pieces turn up in good passwords by chance. */
const FEWEST_LETTERS = 4;

/** Letters that are written as digits and signs; `1` and `!` are read both ways. */
const LEET: Readonly<Record<string, readonly [string, string]>> = {
  "0": ["o", "o"],
  "1": ["i", "l"],
  "!": ["i", "l"],
  "|": ["i", "l"],
  "3": ["e", "e"],
  "4": ["a", "a"],
  "@": ["a", "a"],
  "5": ["s", "s"],
  $: ["s", "s"],
  "7": ["t", "t"],
  "+": ["t", "t"],
  "8": ["b", "b"],
  "9": ["g", "g"],
};

/** Letters that fall apart into a letter and a mark by decomposition are left without the mark; these do not fall apart. */
const LETTERS: Readonly<Record<string, string>> = { ß: "ss", æ: "ae", ø: "o", œ: "oe", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i" };

/** As letters and digits alone, without case and marks. */
function folded(text: string): string {
  return spread(text).replaceAll(/[^\p{L}\p{N}]/gu, "");
}

function spread(text: string): string {
  return text
    .toLowerCase()
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[ßæøœłđðþı]/gu, (letter) => LETTERS[letter] ?? letter);
}

/** All the ways in which a text may be meant, forwards. */
function readings(text: string): string[] {
  const plain = spread(text);
  const read = (which: 0 | 1) => plain.replaceAll(/./gu, (sign) => LEET[sign]?.[which] ?? sign).replaceAll(/[^\p{L}\p{N}]/gu, "");
  return [folded(text), read(0), read(1)];
}

function reversed(text: string): string {
  return Array.from(text).toReversed().join("");
}

/** The pieces of a person's data: each value, and its words. Pure. */
export function piecesOf(values: readonly string[]): string[] {
  const pieces = values.flatMap((value) => [value, ...value.split(/[^\p{L}\p{N}]+/u)]).map(folded);
  return [...new Set(pieces)].filter((piece) => Array.from(piece).length >= FEWEST_LETTERS);
}

/**
 * Whether a password is made of the person's own data: holds a name, a login, an address or a number, in whatever case, with or without
 * marks, backwards, or with digits for letters; or is itself a part of one. Pure.
 */
export function isSimilar(password: string, about: readonly string[]): boolean {
  const forwards = readings(password);
  const ways = [...new Set([...forwards, ...forwards.map(reversed)])];
  return piecesOf(about).some((piece) =>
    [...new Set(readings(piece))].some((meant) =>
      ways.some((way) => way.includes(meant) || (Array.from(way).length >= FEWEST_LETTERS && meant.includes(way))),
    ),
  );
}
