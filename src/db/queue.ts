import type { Sql } from "./database.ts";

/**
 * The jobs there are, with their payloads. Enqueueing is SQL, so that it happens in the transaction that caused it;
 * the handlers live in `jobs/`.
 */
export interface JobPayloads {
  /** Run a connection's sync now. */
  sync: {
    connectionId: number;
    mode: "incremental" | "full" | "remap";
    trigger: "schedule" | "api" | "recovery" | "hook" | "upload";
    /** The run that somebody asked for, which waits in state `queued`. */
    runId?: number;
  };
  /** Apply an approved plan (or go on with one that a killed node left). */
  apply_plan: { planId: number };
  /** Make, renew and end the subscriptions to a connection's change notifications; of all connections when none is named. */
  keep_hooks: { connectionId?: number };
  /** Work off a target's dirty projections: desired state, difference, deliveries. */
  project: { connectionId: number };
  /** Bring one target account to its desired state. */
  deliver: { projectionId: number };
  /** List a target in full and repair drift. */
  reconcile: { connectionId: number };
  /** Carry out grant starts and ends up to now. */
  expire: Record<string, never>;
  /** Re-evaluate one rule, or a person's condition rules. */
  evaluate_rule: { ruleId: string };
  /** Look anew at the conditions of rules, for people whose grants or state, and for members of groups whose grants, have changed. */
  follow_roles: { personIds: readonly string[]; groupIds: readonly string[] };
  /** Delete the details of plans that ended long ago. */
  prune_runs: Record<string, never>;
  /** What is looked after once a day. */
  look_after_things: Record<string, never>;
  /** Send one notice to a person. */
  send_notice: { id: string };
  /** Invite those whom an import has made and who are invited. */
  invite_imported: { importId: string };
  /** Send the link to set another password, if the sealed name is somebody's. */
  send_reset: { name: string };
  /** Tell administrators of the tokens of services that somebody answers for who has no access any more. */
  tell_stopped_tokens: { personId: string };
  /** Tell old e-mail addresses that they were replaced. */
  tell_address_changes: Record<string, never>;
  /** Tell whoever the sealed name, or the id, is that attempts to sign in are refused until then. */
  tell_locked: { name?: string; personId?: string; until: string };
  /** Send an event to the operator's system. The body holds ids, never what people are called or a secret. */
  send_webhook: { id: string; event: string; at: string; body: Readonly<Record<string, unknown>> };
  /** Look for patterns in the attempts to get in: in all since the last time, or those of one person who just got in. */
  detect_incidents: { personId?: string };
  /** Read the metadata of a SAML identity provider again. */
  refresh_saml_metadata: { connectionId: number };
  /** Ask OpenID providers what they say now of those whose time to be asked about has come. */
  refresh_claims: Record<string, never>;
  /** Complete the search indexes after a sync that made many people. */
  complete_search_indexes: Record<string, never>;
}

export type JobName = keyof JobPayloads;

export interface EnqueueOptions<N extends JobName> {
  job: N;
  payload: JobPayloads[N];
  /** Jobs with one key are one job: a waiting one is replaced, a running one is followed by another. */
  key?: string;
  /** Jobs with one queue name run one after the other, over all nodes. */
  queue?: string;
  runAt?: Date;
  /** A waiting job of this key keeps its time, so that one who comes again and again does not put it off for ever. */
  keepsTime?: boolean;
  maxAttempts?: number;
}

/** Adds a job inside the caller's transaction, by a function of ours: graphile-worker's own loses one whose predecessor begins at that moment. */
export async function enqueue<N extends JobName>(sql: Sql, options: EnqueueOptions<N>): Promise<void> {
  await sql.query(
    "select enqueue_job($1, payload := $2::json, queue_name := $3, run_at := $4::timestamptz, max_attempts := $5, job_key := $6, job_key_mode := $7)",
    [
      options.job,
      JSON.stringify(options.payload),
      options.queue ?? null,
      options.runAt ?? null,
      options.maxAttempts ?? 25,
      options.key ?? null,
      options.keepsTime ? "preserve_run_at" : "replace",
    ],
  );
}
