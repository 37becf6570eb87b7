import { anchor, boundsText, escape, prose, schemaHtml, typeText } from "./docs-schema.ts";
import type { OpenApiDocument, Operation } from "./openapi.ts";
import { problemKinds } from "./problem.ts";

/** The document as a page to read: plain HTML without a script, so that it needs nothing from elsewhere and the strictest policy lets it be. */
export function docsPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const byTag = document.tags.map(({ name, description }) => ({
    name,
    description,
    routes: operations.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const toc = byTag
    .map(({ name, routes }) => `<li><a href="#${anchor(name)}">${escape(name)}</a> <small>${routes.length}</small></li>`)
    .join("");
  const sections = byTag.map(
    ({ name, description, routes }) =>
      `<h2 id="${anchor(name)}">${escape(name)}</h2><p>${prose(description)}</p>${routes.map((each) => operationHtml(each)).join("")}`,
  );
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) => `<details id="schema-${anchor(name)}"><summary>${escape(name)}</summary>${schemaHtml(schema)}</details>`,
  );
  const problems = problemKinds().map(
    ({ code, status, title }) =>
      `<tr id="problem-${code.replaceAll("_", "-")}"><td><code>${code}</code></td><td>${status}</td><td>${escape(title)}</td></tr>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(document.info.title)}</title><link rel="stylesheet" href="/api/docs.css"></head><body>
<nav><strong>${escape(document.info.title)}</strong> <small>${escape(document.info.version)}</small><ul>${toc}<li><a href="#schemas">Schemas</a></li><li><a href="#problems">Problems</a></li></ul></nav>
<main><h1>${escape(document.info.title)}</h1>${paragraphs(document.info.description)}<p>For programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
<p>Send <code>Authorization: Bearer TOKEN</code>; <code>rollcall token create --scope api --name NAME</code> makes one. Every path begins with <code>/api/v1</code>.</p>
${sections.join("")}<h2 id="schemas">Schemas</h2>${schemas.join("")}
<h2 id="problems">Problems</h2><div class="wide"><table><tr><th>code</th><th>status</th><th>meaning</th></tr>${problems.join("")}</table></div></main></body></html>`;
}

export const DOCS_STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:15rem 1fr;color:#1b1f24}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem;box-sizing:border-box;background:#f4f6f8}nav ul{padding-left:1rem}main{padding:1rem 2rem;max-width:60rem}
code,.path{font-family:ui-monospace,monospace}details{border:1px solid #d7dce1;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}
.method{display:inline-block;width:4rem;font-weight:600;text-transform:uppercase}table{border-collapse:collapse}td,th{border:1px solid #d7dce1;padding:.2rem .6rem;text-align:left}
a{color:#0550ae}.wide{overflow-x:auto}pre{overflow-x:auto;background:#f4f6f8;padding:.6rem;border-radius:6px}code,.path,summary,td{overflow-wrap:anywhere}
td{min-width:4rem;vertical-align:top}td .wide{margin-top:.3rem}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto}main{padding:1rem}th{display:none}tr,td{display:block;border:0;padding:0}tr{border-bottom:1px solid #d7dce1;padding:.3rem 0}.method{width:auto;margin-right:.5rem}}`;

function operationHtml({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const parameters = operation.parameters.map(
    (each) =>
      `<tr><td><code>${escape(each.name)}</code></td><td>${each.in}${each.required ? ", needed" : ""}</td><td>${typeText(each.schema)}${boundsText(each.schema)}</td><td>${prose(each.description ?? "")}</td></tr>`,
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(
    ([type, { schema, example }]) =>
      `<h4>Body: ${escape(type)}</h4>${example === undefined ? "" : `<pre><code>${escape(JSON.stringify(example, null, 2))}</code></pre>`}${schemaHtml(schema)}`,
  );
  const answers = Object.entries(operation.responses).map(([status, { description, content }]) => {
    const shown =
      status < "400"
        ? Object.values(content ?? {})
            .map(({ schema }) => schemaHtml(schema))
            .join("")
        : "";
    return `<li><strong>${status}</strong> ${prose(description)}${shown}</li>`;
  });
  return `<details id="${escape(operation.operationId)}"><summary><span class="method">${method}</span> <span class="path">${escape(path)}</span> – ${escape(operation.summary)}</summary>
${paragraphs(operation.description)}
${parameters.length ? `<div class="wide"><table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>${parameters.join("")}</table></div>` : ""}${bodies.join("")}<h4>Answers</h4><ul>${answers.join("")}</ul></details>`;
}

function paragraphs(text: string): string {
  return text
    .split("\n\n")
    .map((each) => `<p>${prose(each)}</p>`)
    .join("");
}
