import type { Request } from "express";
import { authenticateToken } from "../../auth/tokens.ts";
import type { Caller } from "../../access/policy.ts";
import type { AccessSnapshot } from "../../access/snapshot/snapshot.ts";
import type { Database } from "../../db/database.ts";
import { createSharedAnswers } from "../../db/shared-answers.ts";
import { AppError } from "../../errors.ts";
import { createKeptCallers, type FoundCaller } from "./kept-callers.ts";

/**
 * Finds out who calls; by what is kept in memory, as KeptCallers says, for routes that are answered from there alone. Throws
 * `unauthenticated`; `forbidden` for a token of another door.
 */
export type Authenticate = (request: Request, options: { fromMemory: boolean }) => Promise<Caller>;

/**
 * By the bearer token of scope `api`: the database is asked after each request has come, so that a revocation acts at once, and
 * once for requests that come with the same token from the same address at the same time.
 */
export function callerAuthentication({
  db: { requestPool, sharedReads },
  accessSnapshot,
  now,
}: {
  db: Pick<Database, "requestPool" | "sharedReads">;
  accessSnapshot: AccessSnapshot;
  now: () => Date;
}): Authenticate {
  const callers = createSharedAnswers<FoundCaller>();
  const kept = createKeptCallers({ snapshot: accessSnapshot, now });
  return async (request, { fromMemory }) => {
    const { ip } = request;
    const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
    const key = `${ip ?? ""} ${bearer ?? ""}`;
    const ask = () =>
      callers.of(key, async () => {
        const holder = await authenticateToken(requestPool, { bearer, now: now(), from: ip, reads: sharedReads });
        if (holder.scope !== "api")
          throw new AppError("forbidden", "This token opens the SCIM door only; make one with the scope `api`.", { field: "token" });
        const caller: Caller = {
          actor: holder.personId === null ? `token:${holder.name}` : `person:${holder.personId}`,
          credential: `token:${holder.id}`,
          personId: holder.personId,
          permissions: holder.permissions,
          unitIds: holder.unitIds,
          ...(holder.responsibleId === null ? {} : { responsibleId: holder.responsibleId }),
        };
        return { caller, tokenId: holder.id, until: holder.proof.until };
      });
    return fromMemory ? kept.of(key, ask) : (await ask()).caller;
  };
}
