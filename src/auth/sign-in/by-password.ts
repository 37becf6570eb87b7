import type { Work } from "../../db/database.ts";
import { factorStanding } from "../factors/needed.ts";
import { passwordStanding } from "../passwords/verify.ts";
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
  const { ctx, sql } = work;
  await sql.query("select from people where id = $1 for update", [personId]);
  if (setAt === null || (await passwordStanding(sql, personId)).setAt?.getTime() !== setAt.getTime()) return undefined;
  const standing = await factorStanding(sql, { personId, at: ctx.now() });
  const step = nextStep({ purpose: "sign_in", first: "password", second: null, trusted: false, ...standing, mustChange });
  if (step === "complete") return { session: await letIn(work, { ...arrival, personId, methods: ["password"] }) };
  const state = mustChange ? MUST_CHANGE : {};
  return { signIn: await beginSignIn(work, { personId, firstMethod: "password", returnTo, state }) };
}
