import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { tellPerson } from "../../directory/notices.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { factorStanding } from "../factors/needed.ts";
import { rotateSession } from "../sessions/rotate.ts";
import { newSecret, shortUserAgent, type SignInMethod } from "../sessions/session.ts";
import { startSession, type NewSession } from "../sessions/start.ts";
import { nextStep, type SignInFacts, type SignInStep } from "./steps.ts";
import { endSignIn, lockSignIn, mustChangePassword, type SignIn } from "./store.ts";

/** What is known of a sign-in and its person, for deciding where it goes next. */
export async function signInFacts(sql: Sql, { signIn, at }: { signIn: SignIn; at: Date }): Promise<SignInFacts> {
  const { purpose, personId, firstMethod: first, secondMethod: second, trusted } = signIn;
  if (personId === null) return { purpose, first: null, second: null, trusted: false, enrolled: false, needed: false, mustChange: false };
  return { purpose, first, second, trusted, ...(await factorStanding(sql, { personId, at })), mustChange: mustChangePassword(signIn) };
}

/** Where a sign-in goes next. */
export async function stepOf(sql: Sql, question: { signIn: SignIn; at: Date }): Promise<SignInStep> {
  return nextStep(await signInFacts(sql, question));
}

/** The browser in which somebody signs in, and what a session there is bound by. */
export interface Arrival {
  settings: SignInSettings["session"];
  keyRing: KeyRing;
  /** The secret of the browser's device cookie; one is made when it has none. */
  device: string | undefined;
  address: string | undefined;
  userAgent: string | undefined;
}

export interface CompleteOptions extends Arrival {
  signIn: Pick<SignIn, "id">;
}

export interface Completed {
  personId: string;
  /** The session's secret, for its cookie. */
  secret: string;
  /** The device's secret, for its cookie. */
  device: string;
  returnTo: string | null;
}

/**
 * Ends a sign-in by starting a session, or by giving the session another secret where somebody has proven again that it is them.
 * Whether every step was taken is looked at here once more, under a lock. A browser that is new for the person is told to them.
 * Throws `forbidden` when a step is missing, the sign-in is over, or the person may not be here.
 */
export async function completeSignIn(
  work: Work,
  { signIn: { id }, settings, keyRing, device, address, userAgent }: CompleteOptions,
): Promise<Completed> {
  const { ctx, sql } = work;
  const signIn = await lockSignIn(work, id);
  const { personId, sessionId, returnTo, firstMethod, secondMethod, connectionId, federationSubject } = signIn;
  if (personId === null || (await stepOf(sql, { signIn, at: ctx.now() })) !== "complete")
    throw new AppError("forbidden", "A step of this sign-in is missing: begin again.", { field: "sign_in" });
  const methods = [firstMethod, secondMethod].filter((method): method is SignInMethod => method !== null);
  await endSignIn(work, signIn);
  const federation =
    connectionId === null || federationSubject === null
      ? undefined
      : {
          connectionId,
          subject: federationSubject,
          session: signIn.federationSession ?? undefined,
          until: signIn.federationUntil ?? undefined,
        };
  if (signIn.purpose === "step_up") {
    if (sessionId === null) throw new Error(`the step-up ${id} is of no session`);
    const { secret } = await rotateSession(work, { id: sessionId, proven: methods, federation });
    await recordEvent(work, { name: "session.proven", subjectType: "person", subjectId: personId, data: { session: sessionId, methods } });
    return { personId, secret, device: device ?? newSecret().secret, returnTo };
  }
  const arrived = await letIn(work, { personId, methods, federation, settings, keyRing, device, address, userAgent });
  return { personId, ...arrived, returnTo };
}

/**
 * Starts a session for who has taken every step, under the person's row lock. A browser that is new for the person
 * is told to them. Returns the secrets of the session's and the device's cookies. Throws `forbidden` for who may not be here.
 */
export async function letIn(
  work: Work,
  { keyRing, device, ...session }: Arrival & Pick<NewSession, "personId" | "methods" | "federation" | "standing">,
): Promise<{ secret: string; device: string }> {
  const { personId, address, userAgent } = session;
  const deviceSecret = device ?? newSecret().secret;
  const { secret, device: seen } = await startSession(work, { ...session, device: deviceSecret });
  if (seen?.isNew && !seen.isFirst)
    await tellPerson(work, {
      keyRing,
      personId,
      notice: "device.new",
      data: { address: address ?? "?", userAgent: shortUserAgent(userAgent) ?? "?", at: work.ctx.now().toISOString() },
    });
  return { secret, device: deviceSecret };
}
