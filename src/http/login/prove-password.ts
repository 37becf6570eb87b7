import { comparePassword } from "../../auth/passwords/verify.ts";
import { noteAttempt, type AttemptOutcome } from "../../auth/risk/attempts.ts";
import { findProving, type Claimant, type LoginHolder } from "../../auth/sign-in/login-names.ts";
import type { Visit } from "./visit.ts";

export interface PasswordTry {
  who: Claimant;
  password: string;
}

export interface PasswordProof {
  /** Null unless all is well. */
  holder: LoginHolder | null;
  mustChange: boolean;
  setAt: Date | null;
}

/**
 * Counts the attempt, looks at the password, and notes how it went. The same work is done for names that are somebody's and those that are
 * not. Throws `rate_limited`, and `unavailable` when too many are looked at already.
 */
export async function provePassword(visit: Visit, { who, password }: PasswordTry): Promise<PasswordProof> {
  const { options, address, userAgent, device } = visit;
  const { db, keyRing, settings, limits, verifying, log } = options;
  const at = options.now();
  const name = "name" in who ? who.name : who.personId;
  const holder = await findProving(db.requestPool, { who, device, at });
  const personId = holder?.personId ?? null;
  const attempt = {
    kind: "password" as const,
    address,
    name,
    personId,
    device: holder?.knownDevice === true && device !== undefined ? device : null,
  };
  await limits.take(attempt);
  const costsOfNobody = await verifying.costs.ofNobody(name);
  const { matches, mustChange, setAt } = await verifying.turns.take(() =>
    comparePassword(db.requestPool, {
      personId,
      stored: holder?.password ?? null,
      password,
      settings: settings.password,
      now: at,
      costsOfNobody,
      log,
    }),
  );
  const passed = matches && holder?.present === true;
  const outcome: AttemptOutcome = passed ? "ok" : matches ? "refused" : "failed";
  const why = passed ? null : matches ? "not_active" : "wrong_password";
  if (passed) await limits.succeeded(attempt);
  await noteAttempt(db.requestPool, { at, keyRing, kind: "password", outcome, personId, name, address, userAgent, why });
  return { holder: passed ? holder : null, mustChange, setAt };
}
