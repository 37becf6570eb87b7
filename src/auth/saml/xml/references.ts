const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
/** Characters that XML 1.0 does not allow or advises against: controls, the lone halves of pairs, and two that are none. */
export const NO_CHARACTERS = /[^\t\n\r\P{Cc}]|\p{Cs}|[\ufffe\uffff]/u;

/** Resolves the five references that XML knows by itself, and those by number. Undefined when there is any other. */
export function resolveReferences(text: string): string | undefined {
  if (!text.includes("&")) return text;
  let unknown = false;
  const resolved = text.replace(/&(?:#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))|([a-z]{2,4}));|&/g, (_whole, hexadecimal, decimal, name) => {
    const character =
      (hexadecimal ?? decimal) ? byNumber(Number.parseInt(hexadecimal ?? decimal, hexadecimal ? 16 : 10)) : NAMED[name ?? ""];
    if (character === undefined) unknown = true;
    return character ?? "";
  });
  return unknown ? undefined : resolved;
}

function byNumber(code: number): string | undefined {
  if (code > 0x10ffff) return undefined;
  const character = String.fromCodePoint(code);
  return NO_CHARACTERS.test(character) ? undefined : character;
}
