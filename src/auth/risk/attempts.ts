import type { Sql } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { networkOf } from "../network.ts";
import { typedNameHash, userAgentHash } from "./typed-names.ts";

/** `challenge`: a code or a prompt was sent to somebody who passed the first factor. */
export type AttemptKind = "password" | "challenge" | "second_factor" | "federated" | "link" | "token" | "step_up";

/** `failed`: what was given is wrong. `refused`: it is right, and the person may not come in all the same, or a limit was met. */
export type AttemptOutcome = "ok" | "failed" | "refused";

export interface Attempt {
  at: Date;
  keyRing: KeyRing;
  kind: AttemptKind;
  outcome: AttemptOutcome;
  /** Null where nobody is known by that name. */
  personId: string | null;
  /** What was typed as the login; only a keyed hash of it is kept. */
  name?: string | null | undefined;
  address: string | undefined;
  userAgent?: string | null | undefined;
  /** A word, never what was typed: `wrong_password`, `not_active`, `limited`, `recovery`, `denied`, `wrong_code`. */
  why?: string | null;
}

const INSERT = `insert into sign_in_attempts (at, kind, outcome, person_id, name_hash, address, network, user_agent_hash, why)
  values ($1, $2, $3, $4::uuid, $5, $6, $7, $8, $9)`;

/** Looking at who got in, in the statement that notes it. */
const ENQUEUE = "select graphile_worker.add_job('detect_incidents', payload := json_build_object('personId', $4::uuid), max_attempts := 3)";

/** Ways in after which there may be something to answer at once. */
const LOOKED_AT: ReadonlySet<AttemptKind> = new Set(["password", "second_factor", "step_up", "federated"]);

/**
 * Notes that somebody tried to get in: what the detectors read. Called outside of the transaction of a request that fails, which would
 * take it back. It costs the same for known and unknown names. Who got in is looked at by a job at once.
 */
export async function noteAttempt(sql: Sql, attempt: Attempt): Promise<void> {
  const { at, keyRing, kind, outcome, personId, name, address, userAgent, why } = attempt;
  const isLookedAt = outcome === "ok" && personId !== null && LOOKED_AT.has(kind);
  const { name: statement, text } = isLookedAt
    ? { name: "attempt-looked-at", text: `with noted as (${INSERT}) ${ENQUEUE}` }
    : { name: "attempt", text: INSERT };
  const values = [
    at,
    kind,
    outcome,
    personId,
    name ? typedNameHash(keyRing, name) : null,
    address ?? null,
    networkOf(address),
    userAgent ? userAgentHash(userAgent) : null,
    why ?? null,
  ];
  await sql.query({ name: statement, text, values });
}
