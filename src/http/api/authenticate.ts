import type { Request } from "express";
import { authenticateToken } from "../../auth/tokens.ts";
import type { Caller } from "../../access/policy.ts";
import type { Database } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

/** Who calls, by the bearer token of scope `api`. Throws `unauthenticated`; `forbidden` for a token of another door. */
export async function authenticateCaller(
  { requestPool, sharedReads }: Pick<Database, "requestPool" | "sharedReads">,
  { request, now }: { request: Request; now: Date },
): Promise<Caller> {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  const holder = await authenticateToken(requestPool, { bearer, now, from: request.ip, reads: sharedReads });
  if (holder.scope !== "api")
    throw new AppError("forbidden", "This token opens the SCIM door only; make one with the scope `api`.", { field: "token" });
  return {
    actor: holder.personId === null ? `token:${holder.name}` : `person:${holder.personId}`,
    credential: `token:${holder.id}`,
    personId: holder.personId,
    permissions: holder.permissions,
    unitIds: holder.unitIds,
  };
}
