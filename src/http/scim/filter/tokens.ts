import { AppError } from "../../../errors.ts";
import { isStorable } from "../../../../connectors/kit/storable-text.ts";

export type Token =
  | { kind: "punctuation"; text: "(" | ")" | "[" | "]"; at: number }
  | { kind: "string"; text: string; at: number }
  | { kind: "word"; text: string; at: number };

const LONGEST = 8192;
const NEXT = /\s*(?:([()[\]])|("(?:[^"\\]|\\.)*")|([^\s()[\]"]+))/y;

/** Cuts a filter or a path into tokens; positions count from 1. Throws `invalid` with the scimType given. */
export function tokens(text: string, scimType: "invalidFilter" | "invalidPath"): Token[] {
  if (text.length > LONGEST)
    throw new AppError("invalid", `A filter may have at most ${LONGEST} characters.`, { field: "filter", scimType });
  const found: Token[] = [];
  const pattern = new RegExp(NEXT);
  const end = text.trimEnd().length;
  while (pattern.lastIndex < end) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) throw new AppError("invalid", `At position ${from + 1}: a quote is not closed.`, { scimType });
    const [whole, punctuation, quoted, word] = match;
    const at = from + whole.length - (punctuation ?? quoted ?? word ?? "").length + 1;
    if (punctuation) found.push({ kind: "punctuation", text: punctuation as "(", at });
    else if (quoted) found.push({ kind: "string", text: unquoted(quoted, { at, scimType }), at });
    else if (word) found.push({ kind: "word", text: word, at });
  }
  return found;
}

function unquoted(quoted: string, { at, scimType }: { at: number; scimType: string }): string {
  let text: string;
  try {
    text = JSON.parse(quoted) as string;
  } catch (cause) {
    throw new AppError("invalid", `At position ${at}: ${quoted.slice(0, 40)} is not a JSON string.`, { scimType, cause });
  }
  if (isStorable(text)) return text;
  throw new AppError("invalid", `At position ${at}: U+0000 or half of a surrogate pair can't be in a text.`, { scimType });
}
