import type { Router } from "express";
import { z } from "zod";
import { isStillSet, verifyPassword } from "../../auth/passwords/verify.ts";
import { noteAttempt, type AttemptOutcome } from "../../auth/risk/attempts.ts";
import { completeSignIn, stepOf } from "../../auth/sign-in/complete.ts";
import { isKnownDevice } from "../../auth/sign-in/devices.ts";
import { findByLoginName, type LoginHolder } from "../../auth/sign-in/login-names.ts";
import { providerOf, signInProviders, type SignInProvider } from "../../auth/sign-in/providers.ts";
import { beginSignIn, keepMustChange, passFirst, type SignIn } from "../../auth/sign-in/store.ts";
import type { SignInStep } from "../../auth/sign-in/steps.ts";
import { inTransaction } from "../../db/database.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { clearSecret, setSecret } from "./cookies.ts";
import { html, type Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { HOME, ownPath } from "./return-to.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import type { Visit } from "./visit.ts";

const LONGEST_NAME = 320;
const NOBODY = "00000000-0000-0000-0000-000000000000";
const LONGEST_PASSWORD = 1024;

const nameForm = z.object({
  name: z.string().trim().min(1).max(LONGEST_NAME),
  return_to: z.string().max(1000).optional(),
  /** `password`: not by the identity provider of the address's domain. */
  way: z.literal("password").optional(),
});
const passwordForm = nameForm.extend({ password: z.string().min(1).max(LONGEST_PASSWORD) });

/** The page of each step; a sign-in is led from one to the next by /login/next. */
const PAGE_OF: Readonly<Record<Exclude<SignInStep, "complete" | "first">, string>> = {
  second_factor: "/login/second-factor",
  enrol: "/login/enrol",
  change_password: "/login/change-password",
};

/** Signing in by name and password, and the way from step to step that every other way in takes too. */
export function signInRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({
      method: "get",
      path: "/login",
      needs: "nothing",
      async handler(visit) {
        const returnTo = ownPath(visit.request.query["return_to"]);
        if (visit.session) return { redirect: returnTo };
        const providers = await signInProviders(visit.options.db.requestPool);
        return namePage(visit, { returnTo, providers, way: visit.request.query["way"] === "password" ? "password" : undefined });
      },
    }),
    pageRoute({
      method: "post",
      path: "/login",
      needs: "nothing",
      form: nameForm,
      async handler(visit, { name, return_to, way }) {
        const returnTo = ownPath(return_to);
        const provider = way === "password" ? undefined : providerOf(name, await signInProviders(visit.options.db.requestPool));
        if (provider) return { redirect: providerPath(provider, returnTo) };
        return passwordPage(visit, { name, returnTo });
      },
    }),
    pageRoute({ method: "post", path: "/login/password", needs: "nothing", form: passwordForm, handler: checkPassword }),
    pageRoute({
      method: "get",
      path: "/login/next",
      needs: "nothing",
      async handler(visit) {
        const { signIn, options: door } = visit;
        if (!signIn) return { redirect: visit.session ? HOME : "/login" };
        const step = await stepOf(door.db.requestPool, { signIn, at: door.now() });
        if (step === "complete") return complete(visit, signIn);
        if (step === "first") return { redirect: signIn.purpose === "step_up" ? "/login/step-up" : "/login" };
        return { redirect: PAGE_OF[step] };
      },
    }),
  ]);
}

export function providerPath({ kind, name }: Pick<SignInProvider, "kind" | "name">, returnTo: string): string {
  return `/${kind}/${encodeURIComponent(name)}/login?return_to=${encodeURIComponent(returnTo)}`;
}

function namePage(
  visit: Visit,
  { returnTo, providers, way }: { returnTo: string; providers: readonly SignInProvider[]; way: "password" | undefined },
): Reply {
  const { say } = visit;
  const listed = providers.filter((each) => each.listed);
  const bound = anonymousForm(visit);
  const body = html`${form(bound, {
      action: "/login",
      body: html`<input
          type="hidden"
          name="return_to"
          value="${returnTo}"
        />${way && html`<input type="hidden" name="way" value="${way}" />`}
        ${field({ name: "name", label: say("pages.sign_in.name"), autocomplete: "username webauthn" })}
        <button>${say("pages.sign_in.next")}</button>`,
    })}
    <div class="choices" id="ways">
      <button
        class="other"
        id="passkey"
        type="button"
        hidden
        data-csrf="${bound.csrf}"
        data-failed="${say("pages.second_factor.passkey_none")}"
      >
        ${say("pages.sign_in.passkey")}
      </button>
      ${listed.map((each) => html`<a class="button other" href="${providerPath(each, returnTo)}">${say("pages.sign_in.with", { provider: each.title })}</a>`)}
      ${listed.length > 0 && way === undefined && html`<a href="/login?way=password&amp;return_to=${encodeURIComponent(returnTo)}">${say("pages.sign_in.by_password")}</a>`}
    </div>`;
  return { title: say("pages.sign_in.title"), body, scripts: ["passkey.js"] };
}

function passwordPage(
  visit: Visit,
  { name, returnTo, problem, status }: { name: string; returnTo: string; problem?: Html; status?: number },
): Reply {
  const { say } = visit;
  const body = html`${problem}${form(visit, {
      action: "/login/password",
      body: html`<input type="hidden" name="return_to" value="${returnTo}" />
        ${field({ name: "name", label: say("pages.sign_in.name"), autocomplete: "username", value: name, readonly: true })}
        ${field({ name: "password", label: say("pages.sign_in.password"), type: "password", autocomplete: "current-password" })}
        <button>${say("pages.sign_in.submit")}</button>`,
    })}
    <p>
      <a href="/login/forgot">${say("pages.sign_in.forgot")}</a> ·
      <a href="/login?return_to=${encodeURIComponent(returnTo)}">${say("pages.sign_in.other_name")}</a>
    </p>`;
  return { title: say("pages.sign_in.title"), body, ...(status === undefined ? {} : { status }) };
}

/**
 * The same work is done, and the same is said, whether the name is unknown, the password wrong, or the person not active: nothing
 * tells which it was, by text or by time.
 */
async function checkPassword(visit: Visit, { name, password, return_to }: z.output<typeof passwordForm>): Promise<Reply> {
  const { options, say } = visit;
  const returnTo = ownPath(return_to);
  const { holder, mustChange, setAt } = await provePassword(visit, {
    find: (at) => findByLoginName(options.db.requestPool, { name, at }),
    name,
    password,
  });
  const wrong = () => passwordPage(visit, { name, returnTo, problem: message("problem", say("pages.sign_in.wrong")), status: 401 });
  if (!holder) return wrong();
  const passed = await inTransaction(options.db, visit.ctx, async (work) => {
    if (!(await isStillSet(work, { personId: holder.personId, setAt }))) return undefined;
    const { signIn } = await beginSignIn(work, { returnTo });
    await keepMustChange(work, { signIn, mustChange });
    return passFirst(work, { signIn, personId: holder.personId, method: "password" });
  });
  if (!passed) return wrong();
  setSecret(visit.response, { cookie: "signIn", secret: passed.secret });
  return { redirect: "/login/next" };
}

export interface PasswordTry {
  find: (at: Date) => Promise<LoginHolder | null>;
  name: string;
  password: string;
}

/** Counts the attempt, looks at the password, and notes how it went. `holder` is null unless all is well. Throws `rate_limited`. */
export async function provePassword(
  visit: Visit,
  { find, name, password }: PasswordTry,
): Promise<{ holder: LoginHolder | null; mustChange: boolean; setAt: Date | null }> {
  const { options, address, userAgent, device } = visit;
  const { db, keyRing, settings, limits, log } = options;
  const at = options.now();
  const holder = await find(at);
  const personId = holder?.personId ?? null;
  // Asked of nobody too: a query more would tell that the name exists.
  const known = await isKnownDevice(db.requestPool, { personId: personId ?? NOBODY, secret: device });
  const attempt = { kind: "password" as const, address, name, personId, device: known && device !== undefined ? device : null };
  await limits.take(attempt);
  const { matches, mustChange, setAt } = await verifyPassword(db.requestPool, {
    personId,
    password,
    settings: settings.password,
    now: at,
    log,
  });
  const passed = matches && holder?.present === true;
  const outcome: AttemptOutcome = passed ? "ok" : matches ? "refused" : "failed";
  const why = passed ? null : matches ? "not_active" : "wrong_password";
  if (passed) await limits.succeeded(attempt);
  await noteAttempt(db.requestPool, { at, keyRing, kind: "password", outcome, personId, name, address, userAgent, why });
  return { holder: passed ? holder : null, mustChange, setAt };
}

/** Ends a sign-in whose steps were all taken: the session's cookie is set, and the browser goes where it wanted to. */
async function complete(visit: Visit, signIn: SignIn): Promise<Reply> {
  const { options, device, address, userAgent, response } = visit;
  const { keyRing, settings } = options;
  const done = await inTransaction(options.db, { ...visit.ctx, actor: `person:${signIn.personId ?? ""}` }, (work) =>
    completeSignIn(work, { signIn, settings: settings.session, keyRing, device, address, userAgent }),
  );
  setSecret(response, { cookie: "session", secret: done.secret });
  setSecret(response, { cookie: "device", secret: done.device });
  clearSecret(response, "signIn");
  return { redirect: ownPath(done.returnTo ?? HOME) };
}
