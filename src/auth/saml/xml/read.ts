import { refused } from "../refusal.ts";
import type { XmlElement } from "./element.ts";
import { NO_CHARACTERS, resolveReferences } from "./references.ts";
import { readTag, type Tag } from "./tag.ts";

export interface XmlLimits {
  /** Most bytes of the text. */
  bytes: number;
  depth: number;
  elements: number;
}

/** Of a message that somebody's browser brings: a response with hundreds of groups is a tenth of it. */
export const MESSAGE_LIMITS: XmlLimits = { bytes: 256 * 1024, depth: 32, elements: 5000 };
/** Of metadata: that of a whole federation is not read. */
export const METADATA_LIMITS: XmlLimits = { bytes: 2 * 1024 * 1024, depth: 32, elements: 20_000 };

/** Namespaces that may hold at one place: a scope is copied wherever one is declared. Real messages have less than ten. */
const MOST_NAMESPACES = 64;

const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";
const DECLARATION = /^\ufeff?<\?xml version=(["'])1\.0\1(?: encoding=(["'])utf-8\2)?(?: standalone=(["'])(?:yes|no)\3)?\s*\?>\s*/i;

interface Open {
  tag: Tag;
  from: number;
  children: XmlElement[];
  text: string[];
  inScope: ReadonlyMap<string, string>;
}

/**
 * Reads the part of XML that SAML is written in, before any other parser sees the text: elements, attributes and character
 * data, within limits. Document types (and with them every entity), comments, processing instructions and CDATA sections are
 * refused: nothing but attacks has them in a message. Comments alone may stand in metadata, and are as if they were not there.
 * Throws `unauthenticated`, field `saml.xml`.
 */
export function readXml(input: string, { limits, comments = false }: { limits: XmlLimits; comments?: boolean }): XmlElement {
  if (input.length > limits.bytes || Buffer.byteLength(input) > limits.bytes)
    throw refused("xml", `The message has more than ${limits.bytes} bytes.`);
  const text = input.replaceAll(/\r\n?/g, "\n");
  if (NO_CHARACTERS.test(text)) throw refused("xml", "The message holds characters that XML does not allow.");
  const stack: Open[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  let at = DECLARATION.exec(text)?.[0].length ?? 0;
  while (at < text.length) {
    const next = text.indexOf("<", at);
    takeText(text.slice(at, next === -1 ? text.length : next), stack.at(-1));
    if (next === -1) break;
    if (comments && text.startsWith("<!--", next)) {
      at = behindComment(text, next);
      continue;
    }
    if (text[next + 1] === "!" || text[next + 1] === "?")
      throw refused(
        "xml",
        "The message has a document type, a comment, a CDATA section or a processing instruction; none of them is read.",
      );
    const tag = readTag(text, next);
    if (!tag) throw refused("xml", "The message is not well-formed XML.");
    at = tag.end;
    if (tag.kind !== "end") {
      elements += 1;
      if (root || elements > limits.elements || stack.length >= limits.depth)
        throw refused(
          "xml",
          root ? "The message has more than one root." : "The message has more elements, or deeper ones, than are read.",
        );
      stack.push({ tag, from: next, children: [], text: [], inScope: scopeOf(tag, stack.at(-1)?.inScope) });
      if (tag.kind === "start") continue;
    }
    const open = stack.pop();
    if (!open || open.tag.name !== tag.name) throw refused("xml", "The message is not well-formed XML: its tags don't match.");
    const element = elementOf(open, tag.end);
    const parent = stack.at(-1);
    if (parent) parent.children.push(element);
    else root = element;
  }
  if (!root || stack.length > 0) throw refused("xml", "The message ends before its XML does.");
  return root;
}

/** The text as the reader's spans count it. */
export function normalised(input: string): string {
  return input.replaceAll(/\r\n?/g, "\n");
}

function takeText(text: string, open: Open | undefined): void {
  const resolved = resolveReferences(text);
  if (resolved === undefined || text.includes("]]>")) throw refused("xml", "The message refers to entities that it may not have.");
  if (open) open.text.push(resolved);
  else if (text.trim() !== "") throw refused("xml", "The message has text outside of its root.");
}

function behindComment(text: string, from: number): number {
  const end = text.indexOf("-->", from + 4);
  if (end === -1) throw refused("xml", "A comment does not end.");
  return end + 3;
}

function scopeOf(tag: Tag, outer: ReadonlyMap<string, string> = new Map([["xml", XML_NAMESPACE]])): ReadonlyMap<string, string> {
  const own = [...tag.attributes].flatMap(([name, value]) =>
    name === "xmlns" ? [["", value] as const] : name.startsWith("xmlns:") ? [[name.slice(6), value] as const] : [],
  );
  if (own.some(([prefix, namespace]) => (prefix !== "" && namespace === "") || prefix === "xml" || prefix === "xmlns"))
    throw refused("xml", "The message declares namespaces in a way that is not read.");
  if (own.length === 0) return outer;
  const scope = new Map([...outer, ...own]);
  if (scope.size > MOST_NAMESPACES) throw refused("xml", `The message declares more than ${MOST_NAMESPACES} namespaces at one place.`);
  return scope;
}

function elementOf({ tag, from, children, text, inScope }: Open, to: number): XmlElement {
  const colon = tag.name.indexOf(":");
  const prefix = colon === -1 ? "" : tag.name.slice(0, colon);
  const namespace = inScope.get(prefix) ?? (prefix === "" ? "" : undefined);
  const undeclared = [...tag.attributes.keys()].some(
    (name) => name.includes(":") && !name.startsWith("xmlns:") && !inScope.has(name.split(":")[0] ?? ""),
  );
  if (namespace === undefined || undeclared) throw refused("xml", "The message uses a prefix that it does not declare.");
  const attributes = new Map([...tag.attributes].filter(([name]) => name !== "xmlns" && !name.includes(":")));
  return { namespace, name: tag.name.slice(colon + 1), attributes, children, text: text.join(""), inScope, span: { from, to } };
}
