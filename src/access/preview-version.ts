import { createHash } from "node:crypto";
import type { Sql } from "../db/database.ts";
import type { PreviewChange } from "./preview-change.ts";

/** Where what a change rewrites stands, with its version; the rest compares no version elsewhere either. */
const REWRITTEN: { readonly [Kind in PreviewChange["kind"]]?: string } = {
  rule: "select version from rules where name = $1 and deleted_at is null",
  ruleRemoval: "select version from rules where name = $1 and deleted_at is null",
  role: "select version from roles where key = $1 and deleted_at is null",
  roleRemoval: "select version from roles where key = $1 and deleted_at is null",
  unitMove: "select version from units where id = $1::uuid and deleted_at is null",
  unitMerge: "select version from units where id = $1::uuid and deleted_at is null",
};

/**
 * Binds the hash of a difference to the version of what the change rewrites: somebody else's change of the same role, rule or unit may make no
 * difference to anybody yet, and would be lost. To be asked in the transaction in which the difference is computed, before anything is made.
 */
export async function versionBinding(sql: Sql, change: PreviewChange): Promise<(hash: Buffer) => Buffer> {
  const question = REWRITTEN[change.kind];
  const { rows } = question ? await sql.query<{ version: number }>(question, [nameOf(change)]) : { rows: [] };
  const version = rows[0]?.version ?? null;
  return (hash) => createHash("sha256").update(hash).update(JSON.stringify(version)).digest();
}

function nameOf(change: PreviewChange): string {
  switch (change.kind) {
    case "rule":
      return String(change.rule["name"]);
    case "ruleRemoval":
      return change.name;
    case "role":
    case "roleRemoval":
      return change.key;
    case "unitMove":
    case "unitMerge":
      return change.unitId;
    case "groupMembers":
      return change.groupId;
    case "mapping":
      return change.connection;
  }
}
