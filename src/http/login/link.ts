import type { Router } from "express";
import { z } from "zod";
import { answerLink } from "../../auth/links/answer.ts";
import { findLink, type OpenLink } from "../../auth/links/links.ts";
import { inTransaction } from "../../db/database.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { endTokensField, endTokensForm } from "./end-tokens.ts";
import { html } from "./html.ts";
import { linkCode } from "./link-code.ts";
import { newPasswordFields, newPasswordForm, problemsWith, requireSame, type NewPasswordForm } from "./new-password.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import { codePage, tryLink, unlessDead } from "./try-link.ts";
import type { Visit } from "./visit.ts";

const PAGE = "/login/link";

/**
 * Where links of one use lead. What proves them stands behind `#`, which browsers send to nobody: a script of ours, or whoever has none,
 * puts it into the form. Looking at a link does not use it up, so that who looks ahead of the reader (mail scanners) takes nothing.
 */
export function linkRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "get", path: PAGE, needs: "nothing", handler: async (visit) => codePage(visit, { action: PAGE }) }),
    pageRoute({
      method: "post",
      path: PAGE,
      needs: "nothing",
      form: z.object({ code: linkCode }),
      handler: (visit, { code: token }) =>
        unlessDead(visit, { action: PAGE, act: async () => passwordPage(visit, { token, link: await lookAt(visit, token) }) }),
    }),
    pageRoute({
      method: "post",
      path: `${PAGE}/password`,
      needs: "nothing",
      form: newPasswordForm.extend({ code: linkCode, ...endTokensForm.shape }),
      handler: (visit, { code: token, ...chosen }) => unlessDead(visit, { action: PAGE, act: () => choose(visit, { token, ...chosen }) }),
    }),
  ]);
}

async function passwordPage(
  visit: Visit,
  { token, link, problems }: { token: string; link: OpenLink; problems?: readonly string[] },
): Promise<Reply> {
  const { say } = visit;
  const body = html`<p>${say(link.purpose === "invitation" ? "pages.link.welcome" : "pages.link.choose")}</p>
    ${form(anonymousForm(visit), {
      action: `${PAGE}/password`,
      body: html`<input type="hidden" name="code" value="${token}" />
        ${field({ name: "name", label: say("pages.sign_in.name"), autocomplete: "username", value: link.userName, readonly: true })}
        ${newPasswordFields(visit, { ...(problems && { problems }) })}${await endTokensField(visit, link.personId)}<button>
          ${say("pages.password.submit")}
        </button>`,
    })}`;
  return { title: say("pages.password.title"), body, ...(problems ? { status: 422 } : {}) };
}

/** Whose link it is. */
async function lookAt(visit: Visit, token: string): Promise<OpenLink> {
  const { db, now } = visit.options;
  return tryLink(visit, { look: () => findLink(db.requestPool, { token, now: now() }), personOf: ({ personId }) => personId });
}

type Chosen = { token: string } & NewPasswordForm & z.output<typeof endTokensForm>;

async function choose(visit: Visit, { token, tokens, ...chosen }: Chosen): Promise<Reply> {
  const { options, say } = visit;
  const { db, keyRing, settings, verifying } = options;
  const link = await lookAt(visit, token);
  try {
    requireSame(chosen);
    // A turn first: nobody waits for one with a connection to the database in their hands.
    await verifying.turns.take(() =>
      inTransaction(db, { ...visit.ctx, actor: `person:${link.personId}` }, (work) =>
        answerLink(work, { token, password: chosen.password, endTokens: tokens === "end", keyRing, settings: settings.password }),
      ),
    );
  } catch (error) {
    const problems = problemsWith(error, visit);
    if (!problems) throw error;
    return passwordPage(visit, { token, link, problems });
  }
  const body = html`${message("done", say("pages.link.done"))}
    <p><a class="button" href="/login">${say("pages.sign_in.title")}</a></p>`;
  return { title: say("pages.password.title"), body };
}
