import { NO_CHARACTERS, resolveReferences } from "./references.ts";

/** A tag as it stands in the text. */
export interface Tag {
  kind: "start" | "end" | "empty";
  /** With its prefix. */
  name: string;
  /** Attribute names with their prefixes, to resolved and normalised values. */
  attributes: ReadonlyMap<string, string>;
  /** Behind its `>`. */
  end: number;
}

/** Names as identity providers write them: no more than ASCII, and one colon at most. */
const NAME = "[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?";
const START = new RegExp(`<(/?)(${NAME})`, "y");
const ATTRIBUTE = new RegExp(`[ \\t\\n]+(${NAME})[ \\t\\n]*=[ \\t\\n]*(?:"([^"<]*)"|'([^'<]*)')`, "y");
const END = /[ \t\n]*(\/?)>/y;
const MOST_ATTRIBUTES = 100;

/** Reads the tag that begins at a `<`; undefined when it is no tag that is read here. */
export function readTag(text: string, at: number): Tag | undefined {
  const start = matchAt(START, text, at);
  if (!start) return undefined;
  let position = at + start[0].length;
  const attributes = new Map<string, string>();
  for (let found = matchAt(ATTRIBUTE, text, position); found; found = matchAt(ATTRIBUTE, text, position)) {
    const value = resolveReferences((found[2] ?? found[3] ?? "").replaceAll(/[\t\n]/g, " "));
    const name = found[1] ?? "";
    if (value === undefined || NO_CHARACTERS.test(value) || attributes.has(name) || attributes.size >= MOST_ATTRIBUTES) return undefined;
    attributes.set(name, value);
    position += found[0].length;
  }
  const end = matchAt(END, text, position);
  if (!end) return undefined;
  const [closing, empty] = [start[1] === "/", end[1] === "/"];
  if (closing && (empty || attributes.size > 0)) return undefined;
  return { kind: closing ? "end" : empty ? "empty" : "start", name: start[2] ?? "", attributes, end: position + end[0].length };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
