import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { limitsSchema } from "./definition.ts";
import type { ConnectionState } from "./open.ts";

/** Marks a connection so that its schedule stops until somebody looks. Nothing happens when it already says so. */
export async function flagConnection(
  work: Work,
  { id, state, reason }: { id: number; state: Exclude<ConnectionState, "ready">; reason: string },
): Promise<void> {
  const { rows } = await work.sql.query<{ name: string; failures: number }>(
    `update connections set state = $2, state_reason = $3
     where id = $1 and (state, state_reason) is distinct from ($2, $3)
     returning name, failures`,
    [id, state, reason],
  );
  const row = rows[0];
  if (!row) return;
  const subject = { subjectType: "connection", subjectId: row.name, reason };
  if (state === "flagged") await recordEvent(work, { name: "connection.flagged", ...subject, data: { name: row.name } });
  else await recordEvent(work, { name: "connection.quarantined", ...subject, data: { name: row.name, failures: row.failures } });
}

/** Counts a failed run; quarantines the connection when it has failed `limits.failures` times in a row. Says which state it is in. */
export async function noteFailure(work: Work, { id, reason }: { id: number; reason: string }): Promise<ConnectionState> {
  const { rows } = await work.sql.query<{ failures: number; state: ConnectionState; limits: unknown }>(
    "update connections set failures = failures + 1, last_run_at = $2 where id = $1 returning failures, state, limits",
    [id, work.ctx.now()],
  );
  const row = rows[0];
  if (!row) throw new AppError("not_found", `There is no connection with the id ${id}.`);
  if (row.failures < limitsSchema.parse(row.limits).failures || row.state === "quarantined") return row.state;
  await flagConnection(work, { id, state: "quarantined", reason: `${row.failures} runs failed in a row; the last one: ${reason}` });
  return "quarantined";
}

/** A run went through: failures are counted from nought again. `heard`: the system itself was read, to its end. */
export async function noteSuccess(work: Work, { id, heard }: { id: number; heard: boolean }): Promise<void> {
  await work.sql.query(
    "update connections set failures = 0, last_run_at = $2, heard_at = case when $3 then $2 else heard_at end where id = $1",
    [id, work.ctx.now(), heard],
  );
}

/** Lets a flagged or quarantined connection run again. Returns false when it was ready anyway. Throws `not_found`. */
export async function resumeConnection(work: Work, { name }: { name: string }): Promise<boolean> {
  const { rows } = await work.sql.query<{ id: number; state: ConnectionState; failures: number; state_reason: string | null }>(
    "select id, state, failures, state_reason from connections where name = $1 for update",
    [name],
  );
  const row = rows[0];
  if (!row) throw new AppError("not_found", `There is no connection "${name}".`, { field: "connection" });
  if (row.state === "ready" && row.failures === 0) return false;
  await work.sql.query("update connections set state = 'ready', state_reason = null, failures = 0 where id = $1", [row.id]);
  if (row.state === "ready") return false;
  await recordEvent(work, {
    name: "connection.resumed",
    subjectType: "connection",
    subjectId: name,
    reason: row.state_reason ?? undefined,
    data: { name },
  });
  return true;
}
