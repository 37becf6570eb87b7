import type { Work } from "../db/database.ts";
import { refuseOriginsUnit } from "../directory/unit-origin.ts";
import { moveUnit } from "../directory/units.ts";
import { AppError } from "../errors.ts";
import { keepingAnAdministrator, lockAdministrators } from "./last-administrator.ts";
import { isTried, type SavedChange } from "./preview-change.ts";
import type { StoredPreview } from "./preview-store.ts";
import { tryOut } from "./preview-trial.ts";
import { computePreview } from "./preview.ts";
import { updateRole } from "./roles.ts";
import { lockRules } from "./rule-lock.ts";
import { createRule, deleteRule, updateRule } from "./rules.ts";
import { parseSavedRule } from "./stored-conditions.ts";

/**
 * Saves a change that was looked at, if it would still do exactly what was shown: the difference is computed anew in the transaction
 * that saves. Throws `precondition_failed` when it would do something else by now.
 */
export async function applyPreview(
  work: Work,
  preview: Pick<StoredPreview, "change" | "hash" | "at" | "createdAt"> & {
    /** Makes what is tried rather than simulated, with everything that is asked of whoever makes it; needed for that alone. */
    make?: (work: Work) => Promise<void>;
  },
): Promise<void> {
  const { change, make = refuseToMake } = preview;
  if (change.kind === "mapping")
    throw new AppError("invalid", "A mapping is saved at its connection, whose next run shows its own plan before it applies it.", {
      field: "preview",
    });
  await lockAdministrators(work.sql);
  // Others who save rules wait, so that nothing comes between the comparison and the change.
  if (change.kind === "rule" || change.kind === "ruleRemoval") await lockRules(work.sql, "alone");
  // What was shown was of the instant of the preview; what was shown of an instant ahead is asked for that one.
  const at = preview.at > work.ctx.now() ? preview.at : work.ctx.now();
  const { hash } = isTried(change) ? await tryOut(work, { change, at, make }) : await computePreview(work, { change, at });
  if (!hash.equals(preview.hash))
    throw new AppError(
      "precondition_failed",
      "The preview is stale: by now the change would affect other access than was shown, or what it changes is another. Look at it anew.",
      {
        field: "preview",
      },
    );
  await (isTried(change) ? make(work) : keepingAnAdministrator(work, () => applyChange(work, change)));
}

function refuseToMake(): Promise<void> {
  throw new Error("a change that is tried comes with what makes it");
}

async function applyChange(work: Work, change: SavedChange): Promise<void> {
  switch (change.kind) {
    case "rule":
      return saveRule(work, change.rule);
    case "ruleRemoval":
      return deleteRule(work, { name: change.name });
    case "role":
      return updateRole(work, { key: change.key, permissions: change.permissions, inherits: change.inherits });
    case "unitMove":
      await refuseOriginsUnit(work.sql, change.unitId);
      return moveUnit(work, { unitId: change.unitId, parentId: change.parentId });
  }
}

async function saveRule(work: Work, input: unknown): Promise<void> {
  const rule = await parseSavedRule(work.sql, input);
  const { rows } = await work.sql.query("select from rules where name = $1 and deleted_at is null", [rule.name]);
  if (rows.length > 0) await updateRule(work, rule);
  else await createRule(work, rule);
}
