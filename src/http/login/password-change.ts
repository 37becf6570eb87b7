import type { Router } from "express";
import { z } from "zod";
import { setPassword } from "../../auth/passwords/set.ts";
import { passwordStanding } from "../../auth/passwords/verify.ts";
import { rotateSession } from "../../auth/sessions/rotate.ts";
import { stepOf } from "../../auth/sign-in/complete.ts";
import { forgetMustChange, lockSignIn } from "../../auth/sign-in/store.ts";
import type { Context } from "../../context.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { setSecret } from "./cookies.ts";
import { endTokensField, endTokensForm } from "./end-tokens.ts";
import { html, type Html } from "./html.ts";
import { newPasswordFields, newPasswordForm, problemsWith, requireSame, type NewPasswordForm } from "./new-password.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";
import { provePassword } from "./prove-password.ts";
import type { Visit } from "./visit.ts";

const MUST = "/login/change-password";
const OWN = "/account/password";

const ownForm = newPasswordForm.extend({ current: z.string().min(1).max(1024), ...endTokensForm.shape });

/** Changing one's password: because a temporary one must be, as a step of signing in; and of one's own will, with the old one. */
export function passwordChangeRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({
      method: "get",
      path: MUST,
      needs: "sign_in",
      async handler(visit) {
        const { options: door, signIn } = visit;
        const step = await stepOf(door.db.requestPool, { signIn, at: door.now() });
        return step === "change_password" ? mustPage(visit) : { redirect: "/login/next" };
      },
    }),
    pageRoute({ method: "post", path: MUST, needs: "sign_in", form: newPasswordForm, handler: changeAtSignIn }),
    pageRoute({ method: "get", path: OWN, needs: "session", handler: (visit) => ownPage(visit) }),
    pageRoute({ method: "post", path: OWN, needs: "session", form: ownForm, handler: changeOwn }),
  ]);
}

function mustPage(visit: Visit, { problems }: { problems?: readonly string[] } = {}): Reply {
  const { say } = visit;
  const body = html`<p>${say("pages.password.must")}</p>
    ${form(visit, {
      action: MUST,
      body: html`${newPasswordFields(visit, { ...(problems && { problems }) })}<button>${say("pages.password.submit")}</button>`,
    })}`;
  return { title: say("pages.password.title"), body, ...(problems ? { status: 422 } : {}) };
}

/** Whether this is the step that is due is asked once more under the lock: a sign-in that skipped its second factor sets nothing. */
async function changeAtSignIn(visit: VisitWith<"sign_in">, chosen: NewPasswordForm): Promise<Reply> {
  const { options, signIn, ctx } = visit;
  const { keyRing, settings } = options;
  const { personId } = signIn;
  try {
    requireSame(chosen);
    await setting(visit, { ...ctx, actor: `person:${personId}` }, async (work) => {
      const locked = await lockSignIn(work, signIn.id);
      if (locked.personId !== personId || (await stepOf(work.sql, { signIn: locked, at: work.ctx.now() })) !== "change_password")
        throw new AppError("forbidden", "A step of this sign-in is missing: begin again.", { field: "sign_in" });
      await setPassword(work, {
        personId,
        password: chosen.password,
        how: "changed",
        keyRing,
        settings: settings.password,
        keepSignIn: locked.id,
      });
      await forgetMustChange(work, { signIn: locked });
    });
  } catch (error) {
    const problems = problemsWith(error, visit);
    if (!problems) throw error;
    return mustPage(visit, { problems });
  }
  return { redirect: "/login/next" };
}

/** In a transaction, and in its turn among all who have passwords looked at: that first, so that no connection to the database waits for it. */
function setting<T>({ options: { db, verifying } }: Visit, ctx: Context, act: (work: Work) => Promise<T>): Promise<T> {
  return verifying.turns.take(() => inTransaction(db, ctx, act));
}

async function ownPage(
  visit: VisitWith<"session">,
  { problem, problems, status }: { problem?: Html; problems?: readonly string[]; status?: number } = {},
): Promise<Reply> {
  const { say, options, session } = visit;
  const { setAt } = await passwordStanding(options.db.requestPool, session.personId);
  const title = say("pages.password.title");
  if (setAt === null) return { title, body: html`<p>${say("pages.password.none")}</p>` };
  const body = html`${problem}${form(visit, {
    action: OWN,
    body: html`${field({ name: "current", label: say("pages.password.current"), type: "password", autocomplete: "current-password" })}
      ${newPasswordFields(visit, { ...(problems && { problems }) })}${await endTokensField(visit, session.personId)}<button>
        ${say("pages.password.submit")}
      </button>`,
  })}`;
  return { title, body, ...(status === undefined ? {} : { status }) };
}

/** The session goes on with another secret, all others end. */
async function changeOwn(visit: VisitWith<"session">, { current, tokens, ...chosen }: z.output<typeof ownForm>): Promise<Reply> {
  const { options, session, ctx, say } = visit;
  const { db, keyRing, settings } = options;
  const { personId, id: keepSession } = session;
  const { setAt: provenSetAt } = await passwordStanding(db.requestPool, personId);
  const { holder } = await provePassword(visit, { who: { personId }, password: current });
  if (!holder) return ownPage(visit, { problem: message("problem", say("pages.password.wrong")), status: 401 });
  try {
    requireSame(chosen);
    const { secret } = await setting(visit, ctx, async (work) => {
      const { password } = chosen;
      const endTokens = tokens === "end";
      await setPassword(work, {
        personId,
        password,
        how: "changed",
        keyRing,
        settings: settings.password,
        keepSession,
        endTokens,
        provenSetAt,
      });
      return rotateSession(work, { id: keepSession });
    });
    setSecret(visit.response, { cookie: "session", secret });
  } catch (error) {
    const problems = problemsWith(error, visit);
    if (!problems) throw error;
    return ownPage(visit, { problems, status: 422 });
  }
  return { redirect: "/account?done" };
}
