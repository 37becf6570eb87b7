import type { Router } from "express";
import { z } from "zod";
import { passPassword } from "../../auth/sign-in/by-password.ts";
import { completeSignIn, stepOf, type Arrival } from "../../auth/sign-in/complete.ts";
import { providerOf, signInProviders, type SignInProvider } from "../../auth/sign-in/providers.ts";
import type { SignIn } from "../../auth/sign-in/store.ts";
import type { SignInStep } from "../../auth/sign-in/steps.ts";
import { inTransaction } from "../../db/database.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { clearSecret, setSecret } from "./cookies.ts";
import { loginName } from "./login-name.ts";
import { html, type Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { provePassword } from "./prove-password.ts";
import { HOME, ownPath } from "./return-to.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import type { Visit } from "./visit.ts";

const LONGEST_PASSWORD = 1024;

const nameForm = z.object({
  name: loginName,
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
        ${field({ name: "name", label: say("pages.sign_in.name"), autocomplete: "username webauthn", first: true })}
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
        ${field({
          name: "password",
          label: say("pages.sign_in.password"),
          type: "password",
          autocomplete: "current-password",
          wrong: problem !== undefined,
          first: true,
        })}
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
  const { holder, ...proven } = await provePassword(visit, { who: { name }, password });
  const wrong = () => passwordPage(visit, { name, returnTo, problem: message("problem", say("pages.sign_in.wrong")), status: 401 });
  if (!holder) return wrong();
  const { personId } = holder;
  const passed = await inTransaction(options.db, { ...visit.ctx, actor: `person:${personId}` }, (work) =>
    passPassword(work, { personId, ...proven, returnTo, ...arrivalOf(visit) }),
  );
  if (!passed) return wrong();
  if ("session" in passed) return arrived(visit, { ...passed.session, returnTo });
  setSecret(visit.response, { cookie: "signIn", secret: passed.signIn.secret });
  return { redirect: "/login/next" };
}

function arrivalOf({ options: { keyRing, settings }, device, address, userAgent }: Visit): Arrival {
  return { keyRing, settings: settings.session, device, address, userAgent };
}

/** Ends a sign-in whose steps were all taken: the session's cookie is set, and the browser goes where it wanted to. */
async function complete(visit: Visit, signIn: SignIn): Promise<Reply> {
  const done = await inTransaction(visit.options.db, { ...visit.ctx, actor: `person:${signIn.personId ?? ""}` }, (work) =>
    completeSignIn(work, { signIn, ...arrivalOf(visit) }),
  );
  return arrived(visit, { ...done, returnTo: done.returnTo ?? HOME });
}

function arrived({ response }: Visit, { secret, device, returnTo }: { secret: string; device: string; returnTo: string }): Reply {
  setSecret(response, { cookie: "session", secret });
  setSecret(response, { cookie: "device", secret: device });
  clearSecret(response, "signIn");
  return { redirect: ownPath(returnTo) };
}
