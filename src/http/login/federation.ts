import { unsettledAddress } from "../../auth/addresses/standing.ts";
import { answerElsewhere } from "../../auth/links/answered-elsewhere.ts";
import { noteAttempt } from "../../auth/risk/attempts.ts";
import { isIssuerOfAccounts } from "../../auth/sign-in/issuer.ts";
import { loginHolder, type LoginHolder } from "../../auth/sign-in/login-names.ts";
import { passFirst, type SignIn } from "../../auth/sign-in/store.ts";
import type { LoadedConnection } from "../../connections/open.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import { tellPerson } from "../../directory/notices.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { federatedAddresses, syncFederated, type FederatedSubject } from "../../sync/federated-account.ts";
import { noteHeldRequest } from "../../sync/one.ts";
import { setSecret } from "./cookies.ts";
import type { Reply } from "./page.ts";
import type { Visit } from "./visit.ts";

export interface FederatedSignIn {
  connection: LoadedConnection;
  /** What the provider that has proven them calls itself. */
  issuer: string;
  subject: FederatedSubject;
  /** The sign-in under way in this browser. */
  signIn: Pick<SignIn, "id">;
  federation: { method: "saml" | "oidc"; subject: string; session?: string | undefined; until?: Date | undefined };
  /** The sign-in at the provider stands for both factors. */
  bothFactors?: boolean;
  /** Done in the same transaction once it is known who it is. */
  also?: (work: Work, personId: string) => Promise<void>;
}

/** Why somebody whom a provider has proven is not let in; people are told none of it, but that they have an invitation to answer. */
type Refusal =
  "other_issuer" | "unmatched" | "disputed" | "left" | "refused" | "new_address" | "held" | "not_active" | "invited" | "disabled";

type Passed = { passed: true; secret: string; personId: string } | { passed: false; why: Refusal; personId: string | null };

/**
 * Signs in whom an identity provider has proven: the account of the connection says who it is; one that is not known goes through the
 * stages of a sync first, with the connection's mapping, match rules and guards, and as its `policy.signIn` allows. Afterwards the
 * browser's cookie carries on at /login/next. Throws `forbidden` for who is not let in: in the same words for whatever reason, but to who has
 * an invitation to answer first, which is no news to whom it was sent.
 */
export async function signInFederated(visit: Visit, options: FederatedSignIn): Promise<{ redirect: string }> {
  const { connection } = options;
  const { db, keyRing, now } = visit.options;
  const outcome = await decided(visit, options);
  await noteAttempt(db.requestPool, {
    at: now(),
    keyRing,
    kind: "federated",
    outcome: outcome.passed ? "ok" : "refused",
    personId: outcome.personId,
    address: visit.address,
    userAgent: visit.userAgent,
    why: outcome.passed ? null : outcome.why,
  });
  if (!outcome.passed) {
    visit.ctx.log.info({ connection: connection.name, why: outcome.why }, "a federated sign-in was not let in");
    const text = visit.say(outcome.why === "invited" ? "pages.federation.invited" : "pages.federation.refused");
    throw new AppError("forbidden", text, { field: "federation" });
  }
  setSecret(visit.response, { cookie: "signIn", secret: outcome.secret });
  return { redirect: "/login/next" };
}

/** The connection speaks: what changes is its word, and the trail says so. */
async function decided(visit: Visit, options: FederatedSignIn): Promise<Passed> {
  const { connection } = options;
  const { db } = visit.options;
  if (!connection.row.enabled) return { passed: false, why: "disabled", personId: null };
  const ctx = { ...visit.ctx, actor: `connection:${connection.name}` as const };
  try {
    return await inTransaction(db, ctx, (work) => passed(work, { visit, options }));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "held") throw error;
    await inTransaction(db, ctx, (work) => noteHeldRequest(work, { connection, error }));
    return { passed: false, why: "held", personId: null };
  }
}

async function passed(work: Work, { visit, options }: { visit: Visit; options: FederatedSignIn }): Promise<Passed> {
  const { connection, federation, issuer, bothFactors = false } = options;
  const { keyRing, settings } = visit.options;
  if (!(await isIssuerOfAccounts(work, { connectionId: connection.id, issuer })))
    return { passed: false, why: "other_issuer", personId: null };
  const holdsAddress = async ({ ctx, sql }: Work, personId: string) =>
    (await unsettledAddress(sql, { personId, now: ctx.now(), settings: settings.addresses })) === undefined;
  const result = await syncFederated(work, { connection, keyRing, subject: options.subject, holdsAddress });
  if ("reason" in result) {
    work.ctx.log.info({ connection: connection.name, reason: result.reason }, "an account that wanted to sign in was set aside");
    return { passed: false, why: result.outcome, personId: result.personId };
  }
  const { personId, outcome } = result;
  // Also whom nobody lets in yet: the account stays theirs. Created people have no other way in that somebody could be surprised by.
  if (outcome === "linked") await tellPerson(work, { keyRing, personId, notice: "sign_in.linked", data: { connection: connection.name } });
  const holder = await answeringHolder(work, { personId, options, settings });
  if (holder?.invited) return { passed: false, why: "invited", personId };
  if (holder?.present !== true) return { passed: false, why: "not_active", personId };
  await options.also?.(work, personId);
  const { secret } = await passFirst(work, {
    signIn: options.signIn,
    personId,
    method: federation.method,
    trusted: bothFactors,
    federation: { connectionId: connection.id, subject: federation.subject, session: federation.session, until: federation.until },
  });
  return { passed: true, secret, personId };
}

/** The person as they stand after their sign-in at the provider: somebody invited may have answered by it. */
async function answeringHolder(
  work: Work,
  { personId, options: { connection, subject }, settings }: { personId: string; options: FederatedSignIn; settings: SignInSettings },
): Promise<LoginHolder | null> {
  const holder = await loginHolder(work.sql, { personId, at: work.ctx.now() });
  if (!holder?.invited) return holder;
  const addresses = await federatedAddresses(work, { connection, subject });
  await answerElsewhere(work, { personId, connection: connection.name, addresses, settings: settings.addresses });
  return loginHolder(work.sql, { personId, at: work.ctx.now() });
}

/** The step-up that /login/step-up has begun in this browser, for proving oneself at a provider. Throws `forbidden` where there is none. */
export function stepUpOf({ signIn }: Visit): SignIn {
  if (signIn?.purpose !== "step_up" || signIn.firstMethod !== null)
    throw new AppError("forbidden", "There is nothing to prove at the moment: begin again.", { field: "sign_in" });
  return signIn;
}

export interface ProviderAnswer {
  /** The connection's. */
  name: string;
  /** What this browser was sent away with and may come back with; null where it was not. */
  begun: string | null;
  /** Takes the answer; throws an AppError for one that is not believed. */
  arrive: () => Promise<Reply>;
  isNotBelieved: (error: AppError) => boolean;
  /** Done beside the note, for an answer that was not believed. */
  also?: (error: AppError) => Promise<void>;
}

/**
 * Takes a provider's answer, within the limits of attempts. One that is not believed is noted with its reason, and refused in the same
 * words whatever was wrong with it: throws `forbidden`; `rate_limited` when there were too many.
 */
export async function takeAnswer(visit: Visit, { name, begun, arrive, isNotBelieved, also }: ProviderAnswer): Promise<Reply> {
  const { options, address, ctx } = visit;
  const attempt = { kind: "federated" as const, address, personId: null, device: begun };
  await options.limits.take(attempt);
  try {
    const reply = await arrive();
    await options.limits.succeeded(attempt);
    return reply;
  } catch (error) {
    if (!(error instanceof AppError) || !isNotBelieved(error)) throw error;
    ctx.log.warn({ connection: name, field: error.field, reason: error.message }, "an identity provider's answer was refused");
    await noteNotBelieved(visit);
    await also?.(error);
    throw new AppError("forbidden", visit.say("pages.federation.failed"), { field: "federation", cause: error });
  }
}

/** Nobody is known by such an answer. */
async function noteNotBelieved({ options, address, userAgent }: Visit): Promise<void> {
  const { db, keyRing, now } = options;
  const noted = { at: now(), keyRing, personId: null, address, userAgent } as const;
  await noteAttempt(db.requestPool, { ...noted, kind: "federated", outcome: "failed", why: "not_believed" });
}
