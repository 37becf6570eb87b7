import { Fault, type WriteBack } from "../../connectors/contract.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { LockedWork } from "./lock.ts";
import type { Operation, Projection } from "./row.ts";
import { isGone } from "./bring-account.ts";

interface SourceAccount {
  id: number;
  nativeId: string;
  /** The source itself has it disabled. */
  disabledThere: boolean;
  writtenBack: { active: boolean } | null;
}

/** Blocks and memberships are never planned: what stands, stands, though the clock of the node that wrote it may be ahead of ours. */
const stands = (alias: string) => `${alias}.recorded_to is null and ${alias}.valid_to is null`;

const STANDING = `
  select exists (
    select from blocks b where b.person_id = $1 and ${stands("b")} and not (b.owner = 'origin' and b.connection_id is not distinct from $2)
  ) as blocked,
  exists (select from people where id = $1 and state in ('deactivated', 'deleted')) as left`;

const ACCOUNTS = `
  select id, native_id as "nativeId", coalesce(mapped ->> 'active' = 'false', false) as "disabledThere", written_back as "writtenBack"
  from accounts where connection_id = $2 and person_id = $1 and kind = 'user' and gone_at is null order by id`;

const GROUPS = `
  select distinct g.native_id as "groupNativeId"
  from memberships m join accounts g on g.group_id = m.group_id and g.connection_id = $2 and g.kind = 'group' and g.gone_at is null
  where m.person_id = $1 and m.connection_id = $2 and ${stands("m")} order by 1`;

export interface WriteBackOptions {
  row: Projection;
  connection: LoadedConnection;
  writeBack: WriteBack;
  now: Date;
}

/**
 * Writes to the source what we decided against its will: disabled while somebody else than this origin blocks the person,
 * enabled again when that is lifted, and only what we disabled ourselves. Our intent is committed before the call, so that
 * a read in between knows the change as ours. Safe to repeat. Returns what was done, undefined when nothing was to do.
 */
export async function bringSource(
  locked: LockedWork,
  { row, connection, writeBack, now }: WriteBackOptions,
): Promise<Operation | undefined> {
  if (row.personId === null) return undefined;
  const subject = [row.personId, connection.id];
  const {
    rows: [standing],
  } = await locked.sql.query<{ blocked: boolean; left: boolean }>(STANDING, subject);
  if (!standing) return undefined;
  const { rows: accounts } = await locked.sql.query<SourceAccount>(ACCOUNTS, subject);
  let done: Operation | undefined;
  for (const account of accounts) {
    const wanted = changeOf(account, standing.blocked);
    if (wanted !== undefined && connection.policy.writeBack.disable) {
      await noteIntent(locked, { account, active: wanted, now });
      done = (await write(writeBack, { account, active: wanted })) ?? done;
    }
    if (connection.policy.writeBack.groups && standing.blocked && standing.left) {
      const { rows: groups } = await locked.sql.query<{ groupNativeId: string }>(GROUPS, subject);
      const refusals = await leaveGroups(writeBack, { account, groups: groups.map(({ groupNativeId }) => groupNativeId) });
      if (refusals.length < groups.length) done ??= "members";
      if (refusals[0] !== undefined) throw refusals[0];
    }
  }
  return done;
}

/**
 * Once enabled, what the source says is its own word again, though it should say what it said before: its record counts as
 * changed, and a plan that was made while we held it disabled is not applied to it.
 */
async function noteIntent(
  { sql }: LockedWork,
  { account, active, now }: { account: SourceAccount; active: boolean; now: Date },
): Promise<void> {
  const anew = active && account.disabledThere;
  await sql.query(`update accounts set written_back = $2${anew ? ", hash = ''::bytea, version = version + 1" : ""} where id = $1`, [
    account.id,
    JSON.stringify({ active, at: now.toISOString() }),
  ]);
}

/** True = enable, false = disable, undefined = leave alone. An account that we meant to disable is disabled again, in case we died before. */
function changeOf({ disabledThere, writtenBack }: SourceAccount, blocked: boolean): boolean | undefined {
  const byUs = writtenBack?.active === false;
  if (blocked) return byUs || !disabledThere ? false : undefined;
  return byUs ? true : undefined;
}

async function write(
  writeBack: WriteBack,
  { account, active }: { account: SourceAccount; active: boolean },
): Promise<Operation | undefined> {
  await ignoringGone(() => (active ? writeBack.enable(account.nativeId) : writeBack.disable(account.nativeId)));
  return active ? "enable" : "disable";
}

/** One group that somebody can't leave (a primary one, say) keeps nobody in the others. Answers what was refused. */
async function leaveGroups(
  writeBack: WriteBack,
  { account, groups }: { account: SourceAccount; groups: readonly string[] },
): Promise<readonly Fault[]> {
  const refusals: Fault[] = [];
  for (const group of groups) {
    try {
      await ignoringGone(() => writeBack.removeFromGroup(group, account.nativeId));
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== "rejected") throw error;
      refusals.push(error);
    }
  }
  return refusals;
}

/** Who is gone there needs nothing more. */
async function ignoringGone(call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
