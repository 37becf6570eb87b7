import type { Router } from "express";
import { z } from "zod";
import { factorsOf } from "../../auth/factors/factors.ts";
import { loginHolder } from "../../auth/sign-in/login-names.ts";
import { signInProviders } from "../../auth/sign-in/providers.ts";
import { beginSignIn } from "../../auth/sign-in/store.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { countBeginning } from "./beginning.ts";
import { setSecret } from "./cookies.ts";
import { html, type Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { provePassword } from "./prove-password.ts";
import { ownPath } from "./return-to.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";
import { providerPath } from "./sign-in.ts";

const stepUpForm = z.object({ password: z.string().min(1).max(1024), return_to: z.string().max(1000).optional() });

/**
 * Proving again that it is oneself, before a sensitive action: by a second factor where there is one, else by the password, else
 * at the identity provider that the session came from.
 */
export function stepUpRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({
      method: "get",
      path: "/login/step-up",
      needs: "session",
      async handler(visit) {
        const { db } = visit.options;
        const { personId, id: sessionId } = visit.session;
        const returnTo = ownPath(visit.request.query["return_to"]);
        const enrolled = (await factorsOf(db.requestPool, personId)).length > 0;
        const holder = await loginHolder(db.requestPool, { personId, at: visit.options.now() });
        if (!enrolled && holder?.hasPassword) return page(visit, { returnTo });
        const provider = enrolled ? undefined : await providerOfSession(visit);
        if (!enrolled && provider === undefined)
          throw new AppError("forbidden", "There is nothing here by which you could prove again that it is you: sign out, and in again.", {
            field: "proof",
          });
        await countBeginning(visit);
        const { secret } = await inTransaction(db, visit.ctx, (work) =>
          beginSignIn(work, { purpose: "step_up", personId, sessionId, returnTo, instead: visit.signIn }),
        );
        setSecret(visit.response, { cookie: "signIn", secret });
        return { redirect: provider ?? "/login/second-factor" };
      },
    }),
    pageRoute({ method: "post", path: "/login/step-up", needs: "session", form: stepUpForm, handler: byPassword }),
  ]);
}

async function providerOfSession({ options, session: { connectionId } }: VisitWith<"session">): Promise<string | undefined> {
  if (connectionId === null) return undefined;
  const { rows } = await options.db.requestPool.query<{ name: string }>("select name from connections where id = $1", [connectionId]);
  const provider = (await signInProviders(options.db.requestPool)).find(({ name }) => name === rows[0]?.name);
  return provider && `${providerPath(provider, "/account")}&step_up=1`;
}

function page(visit: VisitWith<"session">, { returnTo, problem, status }: { returnTo: string; problem?: Html; status?: number }): Reply {
  const { say } = visit;
  const body = html`${problem}
    <p>${say("pages.step_up.why")}</p>
    ${form(visit, {
      action: "/login/step-up",
      body: html`<input type="hidden" name="return_to" value="${returnTo}" />
        ${field({ name: "password", label: say("pages.sign_in.password"), type: "password", autocomplete: "current-password", wrong: problem !== undefined, first: true })}<button>
          ${say("pages.step_up.submit")}
        </button>`,
    })}`;
  return { title: say("pages.step_up.title"), body, ...(status === undefined ? {} : { status }) };
}

async function byPassword(visit: VisitWith<"session">, { password, return_to }: z.output<typeof stepUpForm>): Promise<Reply> {
  const { options, session, say } = visit;
  const { personId, id: sessionId } = session;
  const returnTo = ownPath(return_to);
  const { holder } = await provePassword(visit, { who: { personId }, password });
  if (!holder) return page(visit, { returnTo, problem: message("problem", say("pages.sign_in.wrong")), status: 401 });
  const { secret } = await inTransaction(options.db, visit.ctx, async (work) => {
    return beginSignIn(work, { purpose: "step_up", personId, sessionId, returnTo, firstMethod: "password" });
  });
  setSecret(visit.response, { cookie: "signIn", secret });
  return { redirect: "/login/next" };
}
