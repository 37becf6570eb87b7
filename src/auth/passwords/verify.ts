import type { Logger } from "pino";
import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { hashOfNothing, hashPassword, isOfOtherCosts, isPassword, type PasswordSettings } from "./hash.ts";
import { isKnownToOthers, LONGEST_PASSWORD } from "./policy.ts";

/** A password as it is kept. */
export interface StoredPassword {
  hash: string;
  temporaryUntil: Date | null;
  setAt: Date;
}

export interface Comparison {
  /** Null where nobody is known by the name: it costs the same. */
  personId: string | null;
  /** Null where there is none. */
  stored: StoredPassword | null;
  password: string;
  settings: PasswordSettings;
  now: Date;
  /** What it costs to compare with nobody's; today's costs when absent. */
  costsOfNobody?: PasswordSettings["argon2"] | undefined;
  /** Told when the file of known passwords can't be read, which keeps nobody out. */
  log?: Pick<Logger, "warn">;
}

export interface Verified {
  matches: boolean;
  /** It is temporary, or has become known to others: it lets in only to set another. False where it does not match. */
  mustChange: boolean;
  /** When it was set; null where it does not match. */
  setAt: Date | null;
}

/** Whether this is the person's password, looked up first. */
export async function verifyPassword(
  sql: Sql,
  { personId, ...comparison }: Omit<Comparison, "stored" | "costsOfNobody">,
): Promise<Verified> {
  const { rows } = await sql.query<StoredPassword>(
    `select hash, temporary_until as "temporaryUntil", set_at as "setAt" from passwords where person_id = $1`,
    [personId],
  );
  return comparePassword(sql, { personId, stored: rows[0] ?? null, ...comparison });
}

/**
 * Whether this is the password that is kept. Whether the person may come in at all is asked elsewhere. Takes one comparison whoever is
 * asked for: nobody, somebody without a password, somebody whose temporary one is over. A hash of other costs than those of today is made
 * anew when it matches.
 */
export async function comparePassword(
  sql: Sql,
  { personId, stored, password, settings, now, costsOfNobody = settings.argon2, log }: Comparison,
): Promise<Verified> {
  // What is longer was never set; the work is bounded for it too.
  const typed = Array.from(password.slice(0, 2 * LONGEST_PASSWORD + 1))
    .slice(0, LONGEST_PASSWORD + 1)
    .join("");
  const fits = await isPassword(typed, stored?.hash ?? hashOfNothing(costsOfNobody));
  if (!stored || !fits || (stored.temporaryUntil && stored.temporaryUntil <= now))
    return { matches: false, mustChange: false, setAt: null };
  if (isOfOtherCosts(stored.hash, settings.argon2)) {
    // Whoever sets another password meanwhile has set it.
    await sql.query("update passwords set hash = $3 where person_id = $1 and hash = $2", [
      personId,
      stored.hash,
      await hashPassword(typed, settings.argon2),
    ]);
  }
  const mustChange = stored.temporaryUntil !== null || (await hasBecomeKnown(typed, { settings, log }));
  return { matches: true, mustChange, setAt: stored.setAt };
}

async function hasBecomeKnown(password: string, { settings, log }: Pick<Comparison, "settings" | "log">): Promise<boolean> {
  try {
    return await isKnownToOthers(password, settings);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    log?.warn({ err: error }, error.message);
    return false;
  }
}

export interface PasswordStanding {
  /** Null: has none, and comes in otherwise. */
  setAt: Date | null;
  /** Of a temporary one: until when it works. */
  temporaryUntil: Date | null;
}

/** Whether somebody has a password, since when, and whether it is theirs. */
export async function passwordStanding(sql: Sql, personId: string): Promise<PasswordStanding> {
  const { rows } = await sql.query<PasswordStanding>(
    `select set_at as "setAt", temporary_until as "temporaryUntil" from passwords where person_id = $1`,
    [personId],
  );
  return rows[0] ?? { setAt: null, temporaryUntil: null };
}
