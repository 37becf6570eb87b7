import { z } from "zod";
import { html, type Html } from "./html.ts";
import type { Visit } from "./visit.ts";

/** What the script of a passkey's form sends, in a field of text. */
export function responseField<S extends z.ZodType>(schema: S) {
  return z
    .string()
    .max(15_000)
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        context.addIssue({ code: "custom", message: "must be what the browser answered: its scripts are needed for passkeys" });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

export interface PasskeyForm {
  action: string;
  /** What the browser is asked for: a new passkey, or one that there is. */
  asks: "create" | "get";
  options: object;
  body: Html;
}

/** A form that passkey.js fills in and sends: WebAuthn has no other way in. */
export function passkeyForm({ csrf, say }: Pick<Visit, "csrf" | "say">, { action, asks, options, body }: PasskeyForm): Html {
  const failed = say(asks === "create" ? "pages.second_factor.passkey_not_made" : "pages.second_factor.passkey_none");
  return html`<form
    method="post"
    action="${action}"
    data-passkey="${asks}"
    data-options="${JSON.stringify(options)}"
    data-failed="${failed}"
  >
    <input type="hidden" name="csrf" value="${csrf}" /><input type="hidden" name="response" value="" />
    <noscript><p class="problem">${say("pages.second_factor.no_script")}</p></noscript>
    ${body}
  </form>`;
}
