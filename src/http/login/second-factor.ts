import type { Router } from "express";
import { z } from "zod";
import { factorsOf } from "../../auth/factors/factors.ts";
import type { Factor, Proof, SentKind } from "../../auth/factors/kinds.ts";
import { authenticationResponse } from "../../auth/factors/passkey-responses.ts";
import { askForPasskey, verifyPasskey } from "../../auth/factors/passkeys.ts";
import { useRecoveryCode } from "../../auth/factors/recovery-codes.ts";
import type { RelyingParty } from "../../auth/factors/relying-party.ts";
import { sendFactorCode, verifySentCode, verifyTotp } from "../../auth/factors/verification.ts";
import { noteAttempt } from "../../auth/risk/attempts.ts";
import type { SignInMethod } from "../../auth/sessions/session.ts";
import { stepOf } from "../../auth/sign-in/complete.ts";
import { isKnownDevice } from "../../auth/sign-in/devices.ts";
import { lockSignIn, passSecond } from "../../auth/sign-in/store.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import { canReach } from "../../directory/notices.ts";
import { relyingPartyFor, requireRelyingParty } from "./enrol-place.ts";
import { html, type Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { passkeyForm, responseField } from "./passkey-form.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";

const PAGE = "/login/second-factor";
type Proving = VisitWith<"sign_in">;

export const code = z.string().trim().min(1).max(64);
export const sentKind = z.enum(["sms", "email"]);

/** The second step of a sign-in, and the way to prove again that it is oneself, with whatever the person has enrolled. */
export function secondFactorRoutes(options: LoginOptions): Router {
  const needs = "sign_in";
  return pageRoutes(options, [
    pageRoute({ method: "get", path: PAGE, needs, handler: (visit) => page(visit) }),
    pageRoute({ method: "post", path: `${PAGE}/send`, needs, form: z.object({ factor: z.uuid() }), handler: send }),
    pageRoute({
      method: "post",
      path: `${PAGE}/totp`,
      needs,
      form: z.object({ code }),
      handler: (visit, given) => prove(visit, { method: "totp", check: (work) => verifyTotp(work, { ...callOf(visit), ...given }) }),
    }),
    pageRoute({
      method: "post",
      path: `${PAGE}/code`,
      needs,
      form: z.object({ kind: sentKind, code }),
      handler: (visit, given) =>
        prove(visit, { method: given.kind, check: (work) => verifySentCode(work, { ...callOf(visit), ...given }) }),
    }),
    pageRoute({
      method: "post",
      path: `${PAGE}/recovery`,
      needs,
      form: z.object({ code }),
      handler: (visit, given) =>
        prove(visit, { method: "recovery", check: (work) => useRecoveryCode(work, { ...callOf(visit), ...given }) }),
    }),
    pageRoute({
      method: "post",
      path: `${PAGE}/passkey`,
      needs,
      form: z.object({ response: responseField(authenticationResponse) }),
      handler(visit, given) {
        const relyingParty = requireRelyingParty(visit.options);
        return prove(visit, { method: "passkey", check: (work) => verifyPasskey(work, { ...callOf(visit), relyingParty, ...given }) });
      },
    }),
  ]);
}

function callOf({ signIn, options: { keyRing, settings } }: Proving) {
  return { personId: signIn.personId, boundTo: `sign-in:${signIn.id}`, keyRing, settings: settings.factors };
}

/** Counts the attempt, looks at the proof, and notes how it went: what is written of a failed one stays written. */
async function prove(visit: Proving, { method, check }: { method: SignInMethod; check: (work: Work) => Promise<Proof> }): Promise<Reply> {
  const { options, signIn, address, userAgent, device, say } = visit;
  const { db, keyRing, limits } = options;
  const { personId } = signIn;
  const at = options.now();
  const kind = signIn.purpose === "step_up" ? ("step_up" as const) : ("second_factor" as const);
  const known = device !== undefined && (await isKnownDevice(db.requestPool, { personId, secret: device }));
  const attempt = { kind, address, personId, device: known ? device : null } as const;
  await limits.take(attempt);
  const proof = await inTransaction(db, visit.ctx, async (work) => {
    // Of several that bring a proof at once, one goes on.
    const current = await lockSignIn(work, signIn.id);
    if ((await stepOf(work.sql, { signIn: current, at })) !== "second_factor") return undefined;
    const checked = await check(work);
    if (checked.ok) await passSecond(work, { signIn, method });
    return checked;
  });
  if (proof === undefined) return { redirect: "/login/next" };
  const noted = { at, keyRing, kind, personId, address, userAgent } as const;
  if (proof.ok) {
    await limits.succeeded(attempt);
    await noteAttempt(db.requestPool, { ...noted, outcome: "ok", why: method === "recovery" ? "recovery" : null });
    return { redirect: "/login/next" };
  }
  await noteAttempt(db.requestPool, { ...noted, outcome: "failed", why: "wrong_code" });
  const sent = method === "sms" || method === "email" ? method : undefined;
  return page(visit, {
    problem: message("problem", say(`pages.second_factor.${proof.why}`)),
    ...(proof.why === "wrong" ? { wrong: method, ...(sent ? { sent } : {}) } : {}),
    status: 401,
  });
}

async function send(visit: Proving, { factor: factorId }: { factor: string }): Promise<Reply> {
  const { options, signIn, address, userAgent, say } = visit;
  const { db, keyRing } = options;
  const at = options.now();
  const sent = await inTransaction(db, visit.ctx, async (work) => {
    const current = await lockSignIn(work, signIn.id);
    if ((await stepOf(work.sql, { signIn: current, at })) !== "second_factor") return undefined;
    return sendFactorCode(work, { ...callOf(visit), factorId });
  });
  if (!sent) return { redirect: "/login/next" };
  await noteAttempt(db.requestPool, { at, keyRing, kind: "challenge", outcome: "ok", personId: signIn.personId, address, userAgent });
  const until = visit.when(sent.until);
  return page(visit, { problem: message("done", say("pages.enrol.sent", { to: sent.sentTo, until })), sent: sent.kind });
}

/** Every way that the person has, the best first. */
async function page(
  visit: Proving,
  { problem, sent, wrong, status }: { problem?: Html; sent?: SentKind; wrong?: SignInMethod; status?: number } = {},
): Promise<Reply> {
  const { signIn, say, options } = visit;
  const factors = await factorsOf(options.db.requestPool, signIn.personId);
  if (factors.length === 0) return { redirect: "/login/next" };
  const kinds = new Set(factors.map(({ kind }) => kind));
  const relyingParty = kinds.has("passkey") ? relyingPartyFor(options) : undefined;
  const body = html`${problem} ${sent && codeForm(visit, { kind: sent, wrong: wrong === sent })}
    ${relyingParty && (await passkeyPart(visit, relyingParty))}
    ${
      kinds.has("totp") &&
      form(visit, {
        action: `${PAGE}/totp`,
        body: html`${field({
            name: "code",
            label: say("pages.second_factor.totp"),
            autocomplete: "one-time-code",
            inputmode: "numeric",
            wrong: wrong === "totp",
            first: sent === undefined && wrong === undefined,
          })} <button>${say("pages.second_factor.submit")}</button>`,
      })
    }
    <div class="choices">
      ${factors.filter(({ kind }) => (kind === "sms" || kind === "email") && canReach(options.settings, kind)).map((factor) => sendForm(visit, factor))}
    </div>
    <details ${wrong === "recovery" && html`open`}>
      <summary>${say("pages.second_factor.recovery")}</summary>
      ${form(visit, {
        action: `${PAGE}/recovery`,
        body: html`${field({ name: "code", id: "recovery", label: say("pages.second_factor.recovery"), wrong: wrong === "recovery" })}<button>
            ${say("pages.second_factor.submit")}
          </button>`,
      })}
    </details>`;
  return { title: say("pages.second_factor.title"), body, scripts: ["passkey.js"], ...(status === undefined ? {} : { status }) };
}

function codeForm(visit: Proving, { kind, wrong }: { kind: SentKind; wrong: boolean }): Html {
  const { say } = visit;
  return form(visit, {
    action: `${PAGE}/code`,
    body: html`<input type="hidden" name="kind" value="${kind}" />${field({
        name: "code",
        id: "sent",
        label: say("pages.enrol.sent_code"),
        autocomplete: "one-time-code",
        inputmode: "numeric",
        wrong,
        first: true,
      })}<button>${say("pages.second_factor.submit")}</button>`,
  });
}

function sendForm(visit: Proving, { id, label }: Factor): Html {
  return form(visit, {
    action: `${PAGE}/send`,
    body: html`<input type="hidden" name="factor" value="${id}" /><button class="other">
        ${visit.say("pages.second_factor.send", { to: label })}
      </button>`,
  });
}

async function passkeyPart(visit: Proving, relyingParty: RelyingParty): Promise<Html> {
  const { options, say } = visit;
  const asked = await inTransaction(options.db, visit.ctx, (work) => askForPasskey(work, { ...callOf(visit), relyingParty }));
  const body = html`<button>${say("pages.second_factor.passkey")}</button>`;
  return passkeyForm(visit, { action: `${PAGE}/passkey`, asks: "get", options: asked, body });
}
