import type { Router } from "express";
import { stepOf } from "../../auth/sign-in/complete.ts";
import { lockSignIn, passSecond } from "../../auth/sign-in/store.ts";
import { lockPerson } from "../../directory/people-checks.ts";
import { AppError } from "../../errors.ts";
import { kindChoices } from "./enrol-pages.ts";
import type { Place } from "./enrol-place.ts";
import { enrolPages } from "./enrolling.ts";
import { html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { pageRoute, pageRoutes } from "./routes.ts";

const AT_SIGN_IN: Place<"sign_in"> = {
  base: "/login/enrol",
  needs: "sign_in",
  next: "/login/next",
  // Whoever has a factor shows it: only somebody who has none may enrol one here.
  async who(work, { signIn }) {
    const current = await lockSignIn(work, signIn.id);
    // Of two sign-ins that enrol the first factor at once, the second finds it.
    await lockPerson(work.sql, signIn.personId);
    if ((await stepOf(work.sql, { signIn: current, at: work.ctx.now() })) !== "enrol")
      throw new AppError("forbidden", "There is a second factor already: sign in with it.", { field: "sign_in" });
    return { personId: signIn.personId, boundTo: `sign-in:${signIn.id}` };
  },
  async proved(work, { signIn }, kind) {
    await passSecond(work, { signIn, method: kind });
  },
  async choices(visit, { problem, status } = {}) {
    const { say } = visit;
    const body = html`${problem}
      <p>${say("pages.enrol.why")}</p>
      ${kindChoices(AT_SIGN_IN, visit)}`;
    return { title: say("pages.enrol.title"), body, ...(status === undefined ? {} : { status }) };
  },
};

/** Enrolling a second factor right after the password, for who must have one and has none: there is no way in without. */
export function enrolRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({
      method: "get",
      path: AT_SIGN_IN.base,
      needs: AT_SIGN_IN.needs,
      async handler(visit) {
        const step = await stepOf(visit.options.db.requestPool, { signIn: visit.signIn, at: visit.options.now() });
        return step === "enrol" ? AT_SIGN_IN.choices(visit) : { redirect: "/login/next" };
      },
    }),
    ...enrolPages(AT_SIGN_IN),
  ]);
}
