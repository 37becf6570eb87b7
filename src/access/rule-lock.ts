import type { Sql } from "../db/database.ts";

/** "rollcall rules" as a number for pg_advisory_xact_lock. */
const RULES_LOCK = 7_305_004;

/**
 * Who carries rules out shares the lock, who saves a rule has it alone, until the end of the transaction: a rule and a group that
 * are saved at the same time would otherwise not see each other.
 */
export async function lockRules(sql: Sql, mode: "shared" | "alone"): Promise<void> {
  await sql.query(mode === "shared" ? "select pg_advisory_xact_lock_shared($1)" : "select pg_advisory_xact_lock($1)", [RULES_LOCK]);
}
