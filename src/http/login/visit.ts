import type { Request, Response } from "express";
import { withoutPort } from "../../auth/network.ts";
import { authenticateSession } from "../../auth/sessions/authenticate.ts";
import type { Session } from "../../auth/sessions/session.ts";
import { findSignIn, type SignIn } from "../../auth/sign-in/store.ts";
import { createContext, type Context } from "../../context.ts";
import { momentIn } from "../../notify/render.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { secretIn } from "./cookies.ts";
import type { LoginOptions } from "./options.ts";
import { csrfOf } from "./same-origin.ts";
import type { Say } from "./texts.ts";

/** One request at the login door: who comes, how far their sign-in is, and in which language they read. */
export interface Visit {
  request: Request;
  response: Response;
  ctx: Context;
  options: LoginOptions;
  language: string;
  /** A text of the pages, by its key, in the visitor's language. */
  say: Say;
  /** A moment in the visitor's words and time zone, which is named; UTC where theirs is not known. */
  when(at: Date): string;
  session: Session | undefined;
  /** The sign-in under way in this browser; where it proves again who is signed in, in the session in which it began. */
  signIn: SignIn | undefined;
  /** What every form of this visit carries. */
  csrf: string;
  address: string | undefined;
  userAgent: string | undefined;
  /** The secret of the device cookie. */
  device: string | undefined;
}

/** Reads the cookies of a request. The token of forms belongs to the session or, without one, to the sign-in under way. */
export async function visitOf(options: LoginOptions, { request, response }: { request: Request; response: Response }): Promise<Visit> {
  const { db, settings, now, log } = options;
  const at = now();
  const sessionSecret = secretIn(request, "session");
  const signInSecret = secretIn(request, "signIn");
  const session = await authenticateSession(db.requestPool, { secret: sessionSecret, now: at, settings: settings.session });
  const found = await findSignIn(db.requestPool, { secret: signInSecret, now: at });
  const signIn = found?.purpose === "step_up" && found.sessionId !== session?.id ? undefined : found;
  const person = session?.reader ?? signIn?.reader;
  const { language, say } = options.texts.forRequest(request.headers["accept-language"], person?.language);
  return {
    request,
    response,
    options,
    language,
    say,
    when: (moment) => momentIn(moment.toISOString(), { language, timeZone: person?.timeZone }),
    session,
    signIn,
    csrf: csrfOf(formSecret({ session, sessionSecret, signInSecret }) ?? ""),
    address: request.ip === undefined ? undefined : withoutPort(request.ip),
    userAgent: request.headers["user-agent"],
    device: secretIn(request, "device"),
    ctx: createContext({
      actor: session ? `person:${session.personId}` : "system",
      log,
      now,
      correlationId: requestIdOf(response),
      network: options.network,
    }),
  };
}

/** To which cookie's secret the forms of a visit are bound. */
export function formSecret({
  session,
  sessionSecret,
  signInSecret,
}: {
  session: Session | undefined;
  sessionSecret: string | undefined;
  signInSecret: string | undefined;
}): string | undefined {
  return session ? sessionSecret : signInSecret;
}
