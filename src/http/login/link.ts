import type { Router } from "express";
import { z } from "zod";
import { answerLink } from "../../auth/links/answer.ts";
import { findLink, type OpenLink } from "../../auth/links/links.ts";
import { noteAttempt, type AttemptOutcome } from "../../auth/risk/attempts.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { endTokensField, endTokensForm } from "./end-tokens.ts";
import { html } from "./html.ts";
import { linkCode } from "./link-code.ts";
import { newPasswordFields, newPasswordForm, problemsWith, requireSame, type NewPasswordForm } from "./new-password.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import type { Visit } from "./visit.ts";

/**
 * Where links of one use lead. What proves them stands behind `#`, which browsers send to nobody: a script of ours, or whoever has none,
 * puts it into the form. Looking at a link does not use it up, so that who looks ahead of the reader (mail scanners) takes nothing.
 */
export function linkRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "get", path: "/login/link", needs: "nothing", handler: async (visit) => codePage(visit) }),
    pageRoute({
      method: "post",
      path: "/login/link",
      needs: "nothing",
      form: z.object({ code: linkCode }),
      handler: (visit, { code: token }) => ifItWorks(visit, async () => passwordPage(visit, { token, link: await lookAt(visit, token) })),
    }),
    pageRoute({
      method: "post",
      path: "/login/link/password",
      needs: "nothing",
      form: newPasswordForm.extend({ code: linkCode, ...endTokensForm.shape }),
      handler: (visit, { code: token, ...chosen }) => ifItWorks(visit, () => choose(visit, { token, ...chosen })),
    }),
  ]);
}

function codePage(visit: Visit, { problem }: { problem?: string } = {}): Reply {
  const { say } = visit;
  const body = html`${problem !== undefined && message("problem", problem)}
  ${form(anonymousForm(visit), {
    action: "/login/link",
    body: html`${field({ name: "code", label: say("pages.link.code"), hint: say("pages.link.hint") })}<button>
        ${say("pages.link.next")}
      </button>`,
  })}`;
  return { title: say("pages.link.title"), body, scripts: ["link.js"], ...(problem === undefined ? {} : { status: 403 }) };
}

async function passwordPage(
  visit: Visit,
  { token, link, problems }: { token: string; link: OpenLink; problems?: readonly string[] },
): Promise<Reply> {
  const { say } = visit;
  const body = html`<p>${say(link.purpose === "invitation" ? "pages.link.welcome" : "pages.link.choose")}</p>
    ${form(anonymousForm(visit), {
      action: "/login/link/password",
      body: html`<input type="hidden" name="code" value="${token}" />
        ${field({ name: "name", label: say("pages.sign_in.name"), autocomplete: "username", value: link.userName, readonly: true })}
        ${newPasswordFields(visit, { ...(problems && { problems }) })}${await endTokensField(visit, link.personId)}<button>
          ${say("pages.password.submit")}
        </button>`,
    })}`;
  return { title: say("pages.password.title"), body, ...(problems ? { status: 422 } : {}) };
}

/** Whose link it is; counted and noted, as whoever tries links is looked for like whoever tries passwords. */
async function lookAt(visit: Visit, token: string): Promise<OpenLink> {
  const { options, address, userAgent } = visit;
  const { db, keyRing, limits } = options;
  const at = options.now();
  const attempt = { kind: "link" as const, address, personId: null, device: null };
  await limits.take(attempt);
  const note = (outcome: AttemptOutcome, personId: string | null) =>
    noteAttempt(db.requestPool, { at, keyRing, kind: "link", outcome, personId, address, userAgent });
  try {
    const link = await findLink(db.requestPool, { token, now: at });
    await limits.succeeded(attempt);
    await note("ok", link.personId);
    return link;
  } catch (error) {
    if (isDeadLink(error)) await note("failed", null);
    throw error;
  }
}

type Chosen = { token: string } & NewPasswordForm & z.output<typeof endTokensForm>;

async function choose(visit: Visit, { token, tokens, ...chosen }: Chosen): Promise<Reply> {
  const { options, say } = visit;
  const { db, keyRing, settings } = options;
  const link = await lookAt(visit, token);
  try {
    requireSame(chosen);
    await inTransaction(db, { ...visit.ctx, actor: `person:${link.personId}` }, (work) =>
      answerLink(work, { token, password: chosen.password, endTokens: tokens === "end", keyRing, settings: settings.password }),
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

/** A link that does not work leads to the page where another can be given, in the reader's language. */
async function ifItWorks(visit: Visit, act: () => Promise<Reply>): Promise<Reply> {
  try {
    return await act();
  } catch (error) {
    if (!isDeadLink(error)) throw error;
    return codePage(visit, { problem: visit.say("pages.link.dead") });
  }
}

function isDeadLink(error: unknown): boolean {
  return error instanceof AppError && error.code === "forbidden" && error.field === "link";
}
