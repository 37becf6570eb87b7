import { relyingPartyOf, type RelyingParty } from "../../auth/factors/relying-party.ts";
import type { FactorCall, FactorKind } from "../../auth/factors/kinds.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import type { Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import type { Reply } from "./page.ts";
import type { Needs, VisitWith } from "./routes.ts";

/** Where somebody enrols a factor: on the way in, or on their account's pages. */
export interface Place<N extends Needs> {
  /** The path of its pages. */
  base: string;
  needs: N;
  /** Whose factor it will be, and the sign-in or session that it is bound to. Throws when none may be enrolled here and now. */
  who(work: Work, visit: VisitWith<N>): Promise<Pick<FactorCall, "personId" | "boundTo">>;
  /** What follows from the proof that an enrolment is. */
  proved(work: Work, visit: VisitWith<N>, kind: FactorKind): Promise<void>;
  /** The page of choices. */
  choices(visit: VisitWith<N>, shown?: { problem?: Html; status?: number }): Promise<Reply>;
  /** Where to go on, once the recovery codes are kept. */
  next: string;
}

/** Runs one step of an enrolment in its transaction, which stays, whether the proof was right or wrong. */
export function act<N extends Needs, T>(
  place: Place<N>,
  visit: VisitWith<N>,
  step: (work: Work, call: FactorCall) => Promise<T>,
): Promise<T> {
  const { db, keyRing, settings } = visit.options;
  return inTransaction(db, visit.ctx, async (work) =>
    step(work, { ...(await place.who(work, visit)), keyRing, settings: settings.factors }),
  );
}

/** As whom passkeys know this server; undefined where there can be none. */
export function relyingPartyFor({ baseUrl, settings }: Pick<LoginOptions, "baseUrl" | "settings">): RelyingParty | undefined {
  return relyingPartyOf({ baseUrl, name: settings.factors.issuer });
}

/** The same. Throws `not_found` where there can be none. */
export function requireRelyingParty(options: Pick<LoginOptions, "baseUrl" | "settings">): RelyingParty {
  const relyingParty = relyingPartyFor(options);
  if (!relyingParty) throw new AppError("not_found", "There are no passkeys at this address.");
  return relyingParty;
}

/** How an account is called in an app and in a password manager. */
export async function accountOf({ sql }: Work, personId: string): Promise<{ userName: string; displayName: string }> {
  const { rows } = await sql.query<{ userName: string; displayName: string }>(
    `select user_name::text as "userName", coalesce(display_name, user_name::text) as "displayName" from people where id = $1`,
    [personId],
  );
  if (!rows[0]) throw new AppError("not_found", "There is no such person.", { field: "person" });
  return rows[0];
}
