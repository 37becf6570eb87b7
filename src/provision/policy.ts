import type { LoadedConnection } from "../connections/open.ts";
import type { Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { contentHash } from "./canonical.ts";

/**
 * Marks everybody, and the groups that the policy names, when the target is new, was enabled anew, or its policy changed since the last pass.
 * The policy's hash stands in `watermarks`: who changes a policy has nothing to remember but to wake the project job.
 */
export async function markWhenPolicyChanged(work: Work, connection: LoadedConnection): Promise<boolean> {
  const { provision, writeBack } = connection.policy;
  const prefix = `policy:${connection.id}:`;
  const key = prefix + contentHash({ provision, writeBack }).toString("hex");
  const now = work.ctx.now();
  // A row that was inserted, not updated, has no xmax. The time says when the policy was last looked at (see wake.ts).
  const { rows } = await work.sql.query<Looked>(
    `insert into watermarks (key, at) values ($1, $2) on conflict (key) do update set at = excluded.at
     returning xmax = 0 as inserted, pg_snapshot_xmax(pg_current_snapshot())::text as next,
       xmax = 0 and exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_xid is not null) as others,
       (select max(substr(key, length($3) + 1)::bigint) from watermarks where starts_with(key, $3))::text as until,
       pg_snapshot_xmin(pg_current_snapshot())::text as oldest`,
    [key, now, markingOf(connection)],
  );
  const [looked] = rows;
  if (!looked) return false;
  const { inserted, others, next, until, oldest } = looked;
  if (!inserted) {
    if (until === null) return false;
    if (BigInt(oldest) < BigInt(until)) {
      await lookAgain(work, connection);
      return false;
    }
  }
  await work.sql.query("delete from watermarks where starts_with(key, $1) and key <> $2 or starts_with(key, $3)", [
    prefix,
    key,
    markingOf(connection),
  ]);
  await markAll(work, connection);
  if (others) {
    await work.sql.query("insert into watermarks (key, at) values ($1, $2)", [markingOf(connection) + next, now]);
    await lookAgain(work, connection);
  }
  return true;
}

interface Looked {
  inserted: boolean;
  /** Transactions from this one on began after this look. */
  next: string;
  /** Others are writing here at this moment; asked only of what was inserted. */
  others: boolean;
  /** Everybody is to be marked again once all transactions before this one are over. */
  until: string | null;
  /** The oldest transaction that is not over. */
  oldest: string;
}

/**
 * Who is writing while everybody is marked may have asked before whom to mark for this target, and have been told that it receives nothing:
 * whoever leaves so would stay in there. Everybody is marked once more when they are through.
 */
const markingOf = ({ id }: LoadedConnection): string => `marking:${id}:`;
const OTHERS_WAIT_MS = 2_000;

async function lookAgain({ ctx, sql }: Work, { id }: LoadedConnection): Promise<void> {
  await enqueue(sql, {
    job: "project",
    payload: { connectionId: id },
    key: `project:${id}:marking`,
    queue: `project:${id}`,
    runAt: new Date(ctx.now().getTime() + OTHERS_WAIT_MS),
  });
}

async function markAll({ ctx, sql }: Work, { id, policy: { provision, writeBack } }: LoadedConnection): Promise<void> {
  const now = ctx.now();
  const marked =
    "on conflict (connection_id, SUBJECT) where SUBJECT is not null do update set dirty_at = $2, version = projections.version + 1";
  if (provision) {
    await sql.query(
      `insert into projections (connection_id, kind, person_id, desired_state, dirty_at, decided_at)
       select $1, 'user', id, 'absent', $2, $2 from people where state <> 'deleted' order by id
       ${marked.replaceAll("SUBJECT", "person_id")}`,
      [id, now],
    );
    await sql.query(
      `insert into projections (connection_id, kind, group_id, desired_state, dirty_at, decided_at)
       select $1, 'group', id, 'absent', $2, $2 from groups where deleted_at is null and ($3 or display_name = any($4::citext[])) order by id
       ${marked.replaceAll("SUBJECT", "group_id")}`,
      [id, now, provision.groups === "all", provision.groups === "all" ? [] : provision.groups],
    );
  } else if (writeBack.disable || writeBack.groups) {
    await sql.query(
      `insert into projections (connection_id, kind, person_id, desired_state, dirty_at, decided_at)
       select $1, 'user', person_id, 'absent', $2, $2 from accounts
       where connection_id = $1 and kind = 'user' and gone_at is null and person_id is not null group by person_id order by person_id
       ${marked.replaceAll("SUBJECT", "person_id")}`,
      [id, now],
    );
  }
  // What the policy no longer speaks of must be looked at once more, too.
  await sql.query("update projections set dirty_at = $2, version = version + 1 where connection_id = $1 and dirty_at is null", [id, now]);
}
