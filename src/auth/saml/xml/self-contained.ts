import type { XmlElement } from "./element.ts";
import { escaped } from "./escape.ts";

/** The element's own text, with the namespaces that it has from around it declared on itself. `text` is what it was read from. */
export function selfContained(element: XmlElement, text: string): string {
  const own = text.slice(element.span.from, element.span.to);
  const name = /^<[^\s/>]+/.exec(own)?.[0] ?? "";
  const tag = own.slice(name.length, own.indexOf(">"));
  const missing = [...element.inScope].filter(([prefix]) => prefix !== "xml" && !declares(tag, prefix));
  const declarations = missing.map(([prefix, namespace]) => ` xmlns${prefix === "" ? "" : `:${prefix}`}="${escaped(namespace)}"`);
  return `${name}${declarations.join("")}${own.slice(name.length)}`;
}

function declares(tag: string, prefix: string): boolean {
  return new RegExp(`\\sxmlns${prefix === "" ? "" : `:${prefix.replaceAll(".", "\\.")}`}\\s*=`).test(tag);
}
