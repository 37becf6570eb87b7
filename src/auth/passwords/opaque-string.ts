/**
 * A password as it is compared: the OpaqueString profile of RFC 8265 section 4.2. Spaces of whatever script become the ASCII one, and
 * letters that can be written in two ways are written in one (NFC), so that it does not matter which keyboard it was typed on.
 */
export function opaqueString(text: string): string {
  return text.replaceAll(/\p{Zs}/gu, " ").normalize("NFC");
}

/** Whether it holds what no OpaqueString may: control characters, half surrogate pairs, code points that stand for nothing. */
export function hasDisallowedCharacters(text: string): boolean {
  return /[\p{Cc}\p{Cs}\p{Cn}]/u.test(text);
}
