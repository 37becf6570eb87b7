import { keepingAnAdministrator } from "../../access/last-administrator.ts";
import type { PreviewChange, TriedChange } from "../../access/preview-change.ts";
import { isTried } from "../../access/preview-change.ts";
import { tryOut } from "../../access/preview-trial.ts";
import type { ComputedPreview } from "../../access/preview.ts";
import { deleteRole } from "../../access/role-removal.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import { changeMembersGiving } from "./group-members.ts";
import type { ApiCall } from "./route.ts";
import { mergeGiving } from "./unit-merging.ts";

/** Makes a change as its own route would, with what that asks of the caller; simulated ones are none of this. */
export function makerOf(call: ApiCall, change: PreviewChange): (work: Work) => Promise<void> {
  return async (work) => {
    if (!isTried(change)) throw new Error(`${change.kind} is simulated, not tried`);
    await made(withWork(call, work), change);
  };
}

/** Makes a change and takes it back, all of it from one state of the database. */
export function tried(call: ApiCall, { change, at }: { change: TriedChange; at: Date }): Promise<ComputedPreview> {
  return inTransaction(call.options.db, call.ctx, async (work) => {
    await work.sql.query("set transaction isolation level repeatable read");
    return tryOut(work, { change, at, make: makerOf(call, change) });
  });
}

async function made(call: ApiCall, change: TriedChange): Promise<void> {
  switch (change.kind) {
    case "roleRemoval":
      await keepingAnAdministrator(call, () => deleteRole(call, { key: change.key, revoke: true, reason: change.reason }));
      return;
    case "unitMerge":
      await mergeGiving(call, change);
      return;
    case "groupMembers":
      await changeMembersGiving(call, change);
  }
}

/** The same call in another transaction; permissions are asked for where it was asked. */
function withWork(call: ApiCall, { ctx, sql }: Work): ApiCall {
  return { ...call, caller: call.caller, ctx, sql, ifVersion: null };
}
