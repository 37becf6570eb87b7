import type { Work } from "../../db/database.ts";
import { FACTOR_STANDING, type FactorStanding } from "../factors/needed.ts";
import { idleSinceOf, sessionStanding, type SessionStanding } from "../sessions/start.ts";
import { letIn, type Arrival } from "./complete.ts";
import { nextStep } from "./steps.ts";
import { beginSignIn, MUST_CHANGE } from "./store.ts";

export interface ProvenPassword extends Arrival {
  personId: string;
  /** When the password was set that was found right. */
  setAt: Date | null;
  mustChange: boolean;
  returnTo: string;
}

/** A session with the secrets of its cookies, or a sign-in under way with that of its own. */
export type AfterPassword = { session: { secret: string; device: string } } | { signIn: { secret: string } };

/**
 * Goes on from a password that was found right, in the caller's transaction, under the person's row lock: straight in where no other step is
 * due, else by a sign-in under way. Undefined when the password was changed since: looking at one takes time. Throws `forbidden` for who
 * may not be here.
 */
export async function passPassword(
  work: Work,
  { personId, setAt, mustChange, returnTo, ...arrival }: ProvenPassword,
): Promise<AfterPassword | undefined> {
  const { sql } = work;
  await sql.query("select from people where id = $1 for update", [personId]);
  const standing = await standingOf(work, { personId, settings: arrival.settings });
  if (setAt === null || standing?.setAt?.getTime() !== setAt.getTime()) return undefined;
  const { enrolled, needed } = standing;
  const step = nextStep({ purpose: "sign_in", first: "password", second: null, trusted: false, enrolled, needed, mustChange });
  if (step === "complete") return { session: await letIn(work, { ...arrival, personId, methods: ["password"], standing }) };
  const state = mustChange ? MUST_CHANGE : {};
  return { signIn: await beginSignIn(work, { personId, firstMethod: "password", returnTo, state }) };
}

type Standing = SessionStanding & FactorStanding & { setAt: Date | null };

const STANDING = `select w.set_at as "setAt", ${FACTOR_STANDING}, ${sessionStanding({ at: "$2::timestamptz", idleSince: "$3::timestamptz" })}
  from people p left join passwords w on w.person_id = p.id where p.id = $1 and p.state <> 'deleted'`;

/** All that a sign-in by password follows from, in one look under the lock. */
async function standingOf(
  { ctx, sql }: Work,
  { personId, settings }: Pick<ProvenPassword, "personId" | "settings">,
): Promise<Standing | undefined> {
  const now = ctx.now();
  const { rows } = await sql.query<Standing>({
    name: "password-arrival",
    text: STANDING,
    values: [personId, now, idleSinceOf(now, settings)],
  });
  return rows[0];
}
