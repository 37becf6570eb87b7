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
  /** The name when absent; of several fields of one name on a page each has its own. */
  id?: string;
  label: string;
  type?: "text" | "password" | "email" | "tel";
  autocomplete?: string;
  value?: string | undefined;
  inputmode?: "numeric";
  readonly?: boolean;
  /** What is wrong with what was typed, each a sentence. */
  problems?: readonly string[] | undefined;
  hint?: string;
  /** What is said above the form is about what was typed here: it is read out with it, and typing goes on here. */
  wrong?: boolean;
  /** What the page is for: typing begins here. */
  first?: boolean;
}

/** Of the sentence above a form that says what went wrong. */
const PROBLEM_ID = "problem";

/** A labelled field; its problems are read out with it. */
export function field(options: FieldOptions): Html {
  const {
    name,
    id = name,
    label,
    type = "text",
    autocomplete = "off",
    value,
    inputmode,
    readonly = false,
    problems = [],
    hint,
    wrong = false,
  } = options;
  const described = [
    ...(wrong ? [PROBLEM_ID] : []),
    ...(hint === undefined ? [] : [`${id}-hint`]),
    ...(problems.length === 0 ? [] : [`${id}-problems`]),
  ].join(" ");
  const isInvalid = wrong || problems.length > 0;
  return html`<label for="${id}">${label}</label>${hint !== undefined && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    <input
      id="${id}"
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      required${inputmode ? html` inputmode="${inputmode}"` : ""}${
        value === undefined ? "" : html` value="${value}"`
      }${readonly ? html` readonly` : ""}${described === "" ? "" : html` aria-describedby="${described}"`}${isInvalid && html` aria-invalid="true"`}${(isInvalid || options.first === true) && html` autofocus`}
    />
    ${
      problems.length > 0 &&
      html`<ul class="problems" id="${id}-problems">
        ${problems.map((each) => html`<li>${each}</li>`)}
      </ul>`
    }`;
}

/** A sentence above a form: what went wrong (read out at once), or what was done. */
export function message(kind: "problem" | "done", text: string): Html {
  return kind === "problem"
    ? html`<p class="problem" role="alert" id="${PROBLEM_ID}">${text}</p>`
    : html`<p class="done" role="status">${text}</p>`;
}
