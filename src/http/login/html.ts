/** Text that is HTML already. Everything else is escaped where it is put into a template. */
export interface Html {
  readonly html: string;
}

export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** HTML with values escaped, in text and in quoted attributes; `Html` values, and lists of them, go in as they are. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { html: parts.map((part, at) => part + (at < values.length ? shown(values[at]) : "")).join("") };
}

function shown(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "string") return value.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] ?? "");
  if (typeof value === "number") return String(value);
  return "html" in value ? value.html : value.map((each) => shown(each)).join("");
}
