import { timingSafeEqual } from "node:crypto";
import type { Request } from "express";
import type { Caller } from "../../access/policy.ts";
import { authenticateSession } from "../../auth/sessions/authenticate.ts";
import { AppError } from "../../errors.ts";
import { secretIn } from "./cookies.ts";
import type { LoginOptions } from "./options.ts";
import { csrfOf, requireSameOrigin } from "./same-origin.ts";

const TOKEN_HEADER = "x-csrf-token";
const READS = new Set(["GET", "HEAD"]);

/**
 * Who calls the administration API from a page of ours: by the session's cookie alone. A bearer token is not looked at here, as a
 * cookie is not at /api. Changes must come from this site and carry the token that /account/token tells.
 */
export function sessionCaller({
  db,
  settings,
  now,
  baseUrl,
}: Pick<LoginOptions, "db" | "settings" | "now" | "baseUrl">): (request: Request) => Promise<Caller> {
  return async (request) => {
    const secret = secretIn(request, "session");
    const session = await authenticateSession(db.requestPool, { secret, now: now(), settings: settings.session });
    if (!session || secret === undefined) throw new AppError("unauthenticated", "You are not signed in, or no longer: sign in at /login.");
    if (!READS.has(request.method)) {
      requireSameOrigin(request, { baseUrl });
      const given = Buffer.from(request.get(TOKEN_HEADER) ?? "");
      const expected = Buffer.from(csrfOf(secret));
      if (given.length !== expected.length || !timingSafeEqual(given, expected))
        throw new AppError("forbidden", "Changes carry the header X-CSRF-Token, which /account/token tells.", { field: "csrf" });
    }
    return {
      actor: `person:${session.personId}`,
      credential: `session:${session.id}`,
      personId: session.personId,
      permissions: null,
      unitIds: null,
      provenAt: session.provenAt,
    };
  };
}
