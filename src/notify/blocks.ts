/** A message as its parts, from which its plain text and its HTML are both made. All texts are plain. */
export type Block =
  | { kind: "paragraph"; text: string }
  /** Small, below the others. */
  | { kind: "note"; text: string; url?: string }
  | { kind: "code"; text: string }
  | { kind: "link"; label: string; url: string };

/** The blocks as plain text, a blank line between them; no line is broken, so that links stay whole. */
export function plainText(blocks: readonly Block[]): string {
  return `${blocks.map(textOf).join("\n\n")}\n`;
}

function textOf(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return block.text;
    case "note":
      return block.url === undefined ? block.text : `${block.text}\n${block.url}`;
    case "code":
      return `    ${block.text}`;
    case "link":
      return `${block.label}:\n${block.url}`;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string) => text.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] ?? "");

/**
 * The blocks as a whole HTML document: one column, the reader's own colours but for the button, which sets both; nothing is fetched
 * from anywhere, and nothing tells that it was read.
 */
export function htmlDocument(blocks: readonly Block[], { title, language }: { title: string; language: string }): string {
  return `<!doctype html>
<html lang="${escape(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escape(title)}</title>
</head>
<body style="margin:0;padding:24px;font-family:sans-serif;font-size:16px;line-height:1.5">
<main style="max-width:560px;margin:0 auto">
<h1 style="font-size:20px;line-height:1.3">${escape(title)}</h1>
${blocks.map(htmlOf).join("\n")}
</main>
</body>
</html>
`;
}

function htmlOf(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return `<p>${escape(block.text)}</p>`;
    case "note":
      return `<p style="font-size:14px">${escape(block.text)}${block.url === undefined ? "" : ` <a href="${escape(block.url)}">${escape(block.url)}</a>`}</p>`;
    case "code":
      return `<p style="font-family:monospace;font-size:28px;letter-spacing:4px">${escape(block.text)}</p>`;
    case "link":
      return `<p><a href="${escape(block.url)}" style="display:inline-block;padding:10px 20px;border-radius:4px;background-color:#1a56a0;color:#ffffff">${escape(block.label)}</a></p>
<p style="font-size:14px;word-break:break-all">${escape(block.url)}</p>`;
  }
}
