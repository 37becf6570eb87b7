import type { Router } from "express";
import { z } from "zod";
import { authenticationResponse } from "../../auth/factors/passkey-responses.ts";
import { askForPasskey, verifyPasskey } from "../../auth/factors/passkeys.ts";
import { noteAttempt, type AttemptOutcome } from "../../auth/risk/attempts.ts";
import { loginHolder } from "../../auth/sign-in/login-names.ts";
import { beginSignIn, passFirst } from "../../auth/sign-in/store.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { countBeginning } from "./beginning.ts";
import { setSecret } from "./cookies.ts";
import { requireRelyingParty } from "./enrol-place.ts";
import type { LoginOptions } from "./options.ts";
import type { Reply } from "./page.ts";
import { ownPath } from "./return-to.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import { csrfOf } from "./same-origin.ts";
import type { Visit } from "./visit.ts";

const optionsForm = z.object({ return_to: z.string().max(1000).optional() });
const responseForm = z.object({ response: authenticationResponse });

/** Signing in by a passkey alone: it says who is there, and has verified them by a PIN, a finger or a face. */
export function passkeyRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "post", path: "/login/passkey/options", needs: "nothing", form: optionsForm, handler: ask }),
    pageRoute({ method: "post", path: "/login/passkey", needs: "nothing", form: responseForm, handler: prove }),
  ]);
}

async function ask(visit: Visit, { return_to }: z.output<typeof optionsForm>): Promise<Reply> {
  const relyingParty = requireRelyingParty(visit.options);
  await countBeginning(visit);
  const { secret, asked } = await inTransaction(visit.options.db, visit.ctx, async (work) => {
    const begun = await beginSignIn(work, { returnTo: ownPath(return_to), instead: visit.signIn });
    return { ...begun, asked: await askForPasskey(work, { personId: null, boundTo: `sign-in:${begun.signIn.id}`, relyingParty }) };
  });
  setSecret(visit.response, { cookie: "signIn", secret });
  // The forms of this browser are of the sign-in that has begun now.
  return { json: { options: asked, csrf: csrfOf(secret) } };
}

async function prove(visit: Visit, { response }: z.output<typeof responseForm>): Promise<Reply> {
  const { options, signIn, address, userAgent, say } = visit;
  const { db, keyRing, limits } = options;
  const relyingParty = requireRelyingParty(options);
  if (!signIn) throw new AppError("forbidden", "This sign-in is over or took too long: begin again.", { field: "sign_in" });
  const at = options.now();
  // Whom it is about is known only once the passkey has proved it.
  const attempt = { kind: "second_factor", address, personId: null, device: signIn.id } as const;
  await limits.take(attempt);
  const { personId, outcome, secret } = await inTransaction(db, visit.ctx, async (work) => {
    const proof = await verifyPasskey(work, { personId: null, boundTo: `sign-in:${signIn.id}`, relyingParty, response });
    if (!proof.ok) return { personId: null, outcome: "failed" as AttemptOutcome };
    const holder = await loginHolder(work.sql, { personId: proof.personId, at });
    if (!holder?.present) return { personId: proof.personId, outcome: "refused" as AttemptOutcome };
    const passed = await passFirst(work, { signIn, personId: proof.personId, method: "passkey", trusted: true });
    return { personId: proof.personId, outcome: "ok" as AttemptOutcome, secret: passed.secret };
  });
  const why = { ok: null, failed: "wrong_passkey", refused: "not_active" }[outcome];
  await noteAttempt(db.requestPool, { at, keyRing, kind: "second_factor", outcome, personId, address, userAgent, why });
  if (secret === undefined) throw new AppError("unauthenticated", say("pages.second_factor.passkey_wrong"), { field: "passkey" });
  await limits.succeeded(attempt);
  setSecret(visit.response, { cookie: "signIn", secret });
  return { json: { redirect: "/login/next" } };
}
