import { html, type Html } from "./html.ts";
import type { Visit } from "./visit.ts";

/** What a route answers with. */
export type Reply =
  | { title: string; body: Html; status?: number; scripts?: readonly string[] }
  /** A path of ours, or an identity provider's address that the route made itself. */
  | { redirect: string }
  | { json: unknown; status?: number }
  /** Already answered. */
  | { sent: true };

export interface PageContent {
  title: string;
  body: Html;
  /** Files of `public/` that the page needs to work. */
  scripts?: readonly string[] | undefined;
}

/** A whole page. Nothing in it is inline, so that the strictest content policy lets it be. */
export function pageHtml({ title, body, scripts = [] }: PageContent, visit: Pick<Visit, "language" | "say" | "session" | "csrf">): string {
  const { language, say, session, csrf } = visit;
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} – Rollcall</title>
        <link rel="icon" href="/login/public/favicon.svg" />
        <link rel="stylesheet" href="/login/public/login.css" />
        ${scripts.map((file) => html`<script src="/login/public/${file}" defer></script>`)}
      </head>
      <body>
        <header>
          <a href="/account">Rollcall</a>${
            session &&
            html`<nav aria-label="${say("pages.account.title")}">
              <a href="/account">${say("pages.account.title")}</a>
              <form method="post" action="/logout">
                <input type="hidden" name="csrf" value="${csrf}" /><button class="plain">${say("pages.account.sign_out")}</button>
              </form>
            </nav>`
          }
        </header>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `.html;
}

/** The start of a form that is sent by POST: its token included. */
export function form({ csrf }: Pick<Visit, "csrf">, { action, body }: { action: string; body: Html }): Html {
  return html`<form method="post" action="${action}"><input type="hidden" name="csrf" value="${csrf}" />${body}</form>`;
}

export interface FieldOptions {
  name: string;
  label: string;
  type?: "text" | "password" | "email" | "tel";
  autocomplete?: string;
  value?: string | undefined;
  inputmode?: "numeric";
  readonly?: boolean;
  /** What is wrong with what was typed, each a sentence. */
  problems?: readonly string[] | undefined;
  hint?: string;
}

/** A labelled field; its problems are read out with it. */
export function field(options: FieldOptions): Html {
  const { name, label, type = "text", autocomplete = "off", value, inputmode, readonly = false, problems = [], hint } = options;
  const described = [...(hint === undefined ? [] : [`${name}-hint`]), ...(problems.length === 0 ? [] : [`${name}-problems`])].join(" ");
  return html`<label for="${name}">${label}</label>${hint !== undefined && html`<p class="hint" id="${name}-hint">${hint}</p>`}
    <input
      id="${name}"
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      required${inputmode ? html` inputmode="${inputmode}"` : ""}${
        value === undefined ? "" : html` value="${value}"`
      }${readonly ? html` readonly` : ""}${described === "" ? "" : html` aria-describedby="${described}"`}${problems.length === 0 ? "" : html` aria-invalid="true"`}
    />
    ${
      problems.length > 0 &&
      html`<ul class="problems" id="${name}-problems">
        ${problems.map((each) => html`<li>${each}</li>`)}
      </ul>`
    }`;
}

/** A sentence above a form: what went wrong (read out at once), or what was done. */
export function message(kind: "problem" | "done", text: string): Html {
  return html`<p class="${kind}" role="${kind === "problem" ? "alert" : "status"}">${text}</p>`;
}
