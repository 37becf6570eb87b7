import { instant } from "../filter/literals.ts";
import { findAttribute, type ResourceSchema, type SchemaAttribute } from "../schema.ts";
import type { Bending } from "./bending.ts";
import { placedName } from "./names.ts";

interface Options {
  schema: ResourceSchema;
  bending: Bending;
  /** The list whose elements are chosen from, for a filter inside its brackets. */
  inside?: SchemaAttribute;
  /** Resources of several types are asked for, or of one that clients don't write: names stay as they are. */
  keepsNames?: boolean;
}

const OPERATORS: ReadonlySet<string> = new Set(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
const USUAL = /^[\w.:$-]+ [a-z]{2} "[^"\\]*"$/i;
const BOOLEAN = /^"(true|false)"$/i;
/** The plus sign of an offset, in a URL whose other plus signs are spaces. */
const SPACED_OFFSET = /^("\d{4}-\d\d-\d\dT[\d:.]+) (\d\d:?\d\d")$/i;
const PIECE = /\s+|[()[\]]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'(?=[\s)\]]|$)|[^\s()[\]"]+/gy;
const PUNCTUATION = /^[()[\]]$/;
const LONGEST = 8192;

/** A filter's text as the grammar has it (RFC 7644 figure 1); what is not understood stays for the parser. */
export function bendFilter(text: string, options: Options): string {
  if (text.length > LONGEST) return text;
  const plain = decodedAgain(text, options.bending);
  if (
    USUAL.test(plain) &&
    !BOOLEAN.test(plain.slice(plain.indexOf('"'))) &&
    !SPACED_OFFSET.test(plain.slice(plain.indexOf('"'))) &&
    (options.inside || findAttribute(options.schema, plain.slice(0, plain.indexOf(" "))))
  )
    return plain;
  const pieces = plain.match(PIECE) ?? [];
  if (pieces.join("") !== plain) return plain;
  let name = "";
  let list = options.inside;
  let operator = false;
  const bent = pieces.map((piece, at) => {
    if (piece.trim() === "") return piece;
    if (piece === "[") list = attributeOf(name, { ...options, inside: undefined });
    if (piece === "]") list = options.inside;
    if (operator) {
      operator = false;
      return bendOperand(piece, { ...options, attribute: attributeOf(name, { ...options, inside: list }) });
    }
    operator = OPERATORS.has(piece.toLowerCase()) && at > 0 && name !== "";
    if (operator) return piece;
    name = list || options.keepsNames || PUNCTUATION.test(piece) ? piece : placedName(piece, options);
    return name;
  });
  return bent.join("");
}

function bendOperand(piece: string, { bending, attribute, inside }: Options & { attribute: SchemaAttribute | undefined }): string {
  const at = { attribute: attribute?.name ?? "" };
  if (BOOLEAN.test(piece) && attribute?.type === "boolean")
    return bending.allows("boolean-text", { ...at, sample: piece, value: piece }) ? piece.slice(1, -1).toLowerCase() : piece;
  if (attribute?.type === "dateTime") {
    if (SPACED_OFFSET.test(piece)) return bending.allows("plus-sign") ? piece.replace(" ", "+") : piece;
    if (/^\d/.test(piece) && instant(piece) !== undefined && bending.allows("no-quotes-date")) return JSON.stringify(piece);
  }
  if (piece.startsWith('"')) {
    const escaped = withWholeEscapes(piece);
    return escaped !== piece && bending.allows("bare-backslash", at) ? escaped : piece;
  }
  // A patch's path chooses by one short value: there it can't mean anything else.
  const isPath = inside !== undefined;
  if (/^'.*'$/s.test(piece))
    return bending.allows(isPath ? "no-quotes-in-path" : "single-quotes", at)
      ? JSON.stringify(piece.slice(1, -1).replaceAll(/\\(['"\\])/g, "$1"))
      : piece;
  if (/^(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/i.test(piece) || PUNCTUATION.test(piece)) return piece;
  return bending.allows(isPath ? "no-quotes-in-path" : "no-quotes", at) ? JSON.stringify(piece) : piece;
}

/** `"DOMAIN\ann"`: a backslash that begins no escape of JSON stands for itself. */
function withWholeEscapes(quoted: string): string {
  return quoted.replaceAll(/\\(u[0-9a-fA-F]{4}|["\\/bfnrt]|)/g, (escape, known: string) => (known === "" ? "\\\\" : escape));
}

function attributeOf(name: string, { schema, inside }: Options): SchemaAttribute | undefined {
  if (inside) return inside.subAttributes.get(name.toLowerCase());
  const named = findAttribute(schema, name);
  return named?.sub ?? named?.attribute;
}

/** `userName%20eq%20%22x%22` that is still so after decoding. */
function decodedAgain(text: string, bending: Bending): string {
  if (/[\s"]/.test(text) || !/%20|\+/.test(text) || !/%22/.test(text)) return text;
  try {
    const decoded = decodeURIComponent(text.replaceAll("+", " "));
    return bending.allows("encoded-twice") ? decoded : text;
  } catch {
    // Not encoded after all: the parser says what is wrong.
    return text;
  }
}
