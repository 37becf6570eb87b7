/**
 * A DN in one form per name, so that two spellings of it compare equal as text (RFC 4514): attribute types and values in
 * lower case, no optional white space, one way of escaping, runs of spaces as one, the parts of a multi-valued RDN sorted.
 * Never throws: what can't be parsed comes back trimmed and in lower case. Types are not translated (`commonName` is not `cn`).
 */
export function normaliseDn(dn: string): string {
  const shape = shapeOf(dn);
  if (shape === PLAIN) return dn;
  if (shape === PLAIN_UPPER) return dn.toLowerCase();
  if (shape === LETTERS) return foldCase(dn);
  const parts = parseDn(dn);
  if (parts === undefined) return dn.trim().toLowerCase();
  return parts
    .map((rdn) =>
      rdn
        .map(({ type, value }) => `${type}=${value}`)
        .sort()
        .join("+"),
    )
    .join(",");
}

/** The normalised name of the entry above; undefined above the top. Takes a normalised DN. */
export function parentOf(normalised: string): string | undefined {
  for (let at = 0; at < normalised.length; at++) {
    const code = normalised.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === COMMA) return normalised.slice(at + 1);
  }
  return undefined;
}

/** Whether an entry is the base or below it; both normalised. */
export function isWithin(normalised: string, base: string): boolean {
  return normalised === base || base === "" || normalised.endsWith(`,${base}`);
}

/** A uniqueMember value without its optional unique identifier (RFC 4517 section 3.3.21). */
export function withoutUniqueId(value: string): string {
  return value.endsWith("'B") ? value.replace(/#'[01]*'B$/, "") : value;
}

const PLAIN = 0;
const PLAIN_UPPER = 1;
/** Values with letters of European languages beside ASCII: nothing in them needs another way of writing. */
const LETTERS = 2;
const OTHER = 3;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const SPACE = 0x20;
const DASH = 0x2d;

/** One pass over the characters: most DNs need no parsing, and a directory has hundreds of thousands of them. */
function shapeOf(dn: string): number {
  let upper = false;
  let letters = false;
  let inValue = false;
  let wellFormed = true;
  let before = COMMA;
  for (let at = 0; at < dn.length; at++) {
    const code = dn.charCodeAt(at);
    if (code >= 0x61 && code <= 0x7a) {
      before = code;
      continue;
    }
    if (code >= 0x41 && code <= 0x5a) upper = true;
    else if (code === SPACE) {
      if (before === SPACE || before === COMMA || before === EQUALS) return OTHER;
    } else if (code === COMMA || code === EQUALS) {
      if (before === SPACE || before === COMMA || before === EQUALS) return OTHER;
      if (code === COMMA) wellFormed &&= inValue;
      inValue = code === EQUALS;
    } else if (isLetter(code)) {
      if (!inValue) return OTHER;
      letters = true;
    } else if (code < 0x21 || code > 0x7e || code === BACKSLASH || SPECIAL.has(code)) return OTHER;
    // Whether the type is one only matters where a name that is none would be treated otherwise.
    if (!inValue && code !== COMMA)
      wellFormed &&= (code >= 0x41 && code <= 0x5a) || (before !== COMMA && ((code >= 0x30 && code <= 0x39) || code === DASH));
    before = code;
  }
  if (before === SPACE || before === COMMA || before === EQUALS) return dn === "" ? PLAIN : OTHER;
  if (letters) return wellFormed && inValue ? LETTERS : OTHER;
  return upper ? PLAIN_UPPER : PLAIN;
}

/** Latin letters with marks (U+00C0 to U+024F): their compatibility forms are letters, none of them special in a DN. */
function isLetter(code: number): boolean {
  return code >= 0xc0 && code <= 0x24f && code !== 0xd7 && code !== 0xf7;
}

/** `"`, `#`, `+`, `;`, `<`, `>`. */
const SPECIAL = new Set([0x22, 0x23, 0x2b, 0x3b, 0x3c, 0x3e]);

interface Part {
  type: string;
  value: string;
}

function parseDn(dn: string): Part[][] | undefined {
  const rdns: Part[][] = [];
  for (const rdn of split(dn, ",")) {
    const parts: Part[] = [];
    for (const part of split(rdn, "+")) {
      const at = part.indexOf("=");
      const type = part.slice(0, at).trim().toLowerCase();
      if (at < 1 || !/^(?:[a-z][a-z0-9-]*|\d+(?:\.\d+)*)$/.test(type)) return undefined;
      const value = valueOf(part.slice(at + 1));
      if (value === undefined) return undefined;
      parts.push({ type, value });
    }
    rdns.push(parts);
  }
  return rdns;
}

/** Splits at a separator that is neither escaped nor between quotes. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function valueOf(written: string): string | undefined {
  const trimmed = trimUnescaped(written);
  if (trimmed.startsWith("#")) return /^#(?:[0-9a-f]{2})+$/i.test(trimmed) ? trimmed.toLowerCase() : undefined;
  const quoted = trimmed.length > 1 && trimmed.startsWith('"') && trimmed.endsWith('"');
  const plain = unescape(quoted ? trimmed.slice(1, -1) : trimmed);
  return plain === undefined ? undefined : escape(fold(plain));
}

function trimUnescaped(text: string): string {
  const start = text.trimStart();
  const end = start.trimEnd();
  // The last space belongs to the value when a backslash stands before it.
  const backslashes = /\\*$/.exec(end)?.[0].length ?? 0;
  return backslashes % 2 === 1 && end.length < start.length ? `${end} ` : end;
}

function foldCase(text: string): string {
  return text.normalize("NFKC").toLowerCase().normalize("NFKC");
}

/** caseIgnoreMatch in short (RFC 4518): compatibility form, lower case, insignificant spaces taken away. */
function fold(value: string): string {
  const folded = foldCase(value).replace(/\s+/g, " ").trim();
  return folded === "" && value !== "" ? " " : folded;
}

function unescape(text: string): string | undefined {
  if (!text.includes("\\")) return text;
  const bytes: Buffer[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] !== "\\") {
      const next = text.indexOf("\\", at);
      const end = next < 0 ? text.length : next;
      bytes.push(Buffer.from(text.slice(at, end), "utf8"));
      at = end;
      continue;
    }
    const pair = text.slice(at + 1, at + 3);
    if (/^[0-9a-f]{2}$/i.test(pair)) {
      bytes.push(Buffer.from(pair, "hex"));
      at += 3;
    } else if (at + 1 < text.length) {
      const character = String.fromCodePoint(text.codePointAt(at + 1) ?? 0);
      bytes.push(Buffer.from(character, "utf8"));
      at += 1 + character.length;
    } else return undefined;
  }
  return Buffer.concat(bytes).toString("utf8");
}

function escape(value: string): string {
  const inner = value.replace(/[\\",+;<>]/g, "\\$&").replaceAll("\0", "\\00");
  if (inner === " ") return "\\20";
  return inner.startsWith("#") ? `\\${inner}` : inner;
}
