import { createHash, randomUUID } from "node:crypto";
import type { Caller } from "../access/policy.ts";
import { lockRules } from "../access/rule-lock.ts";
import { holdingMore } from "../access/shutting-out.ts";
import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { listCustomAttributes } from "../directory/custom-attributes.ts";
import { lockReportingLines } from "../directory/people-checks.ts";
import { MATCHED_BY } from "../directory/person-edit-rights.ts";
import { personKeys } from "../directory/personal.ts";
import { noteVouching } from "../directory/vouching.ts";
import { AppError } from "../errors.ts";
import { applyRows } from "./import-apply.ts";
import { columnsOf, inputOf, type CheckValue } from "./import-columns.ts";
import { loadImportFacts, type ImportReach } from "./import-facts.ts";
import type { ImportFile } from "./import-file.ts";
import { planHash, planRows, type PlannedRow } from "./import-plan.ts";
import { importCells, markApplied, readImport, storeImport, type ImportCounts } from "./import-store.ts";
import { inTurns } from "./in-turns.ts";
import { newId } from "./stage.ts";

export interface ImportOptions {
  caller: Caller;
  reach: ImportReach;
  check: CheckValue;
  keyRing: KeyRing;
}

/**
 * Decides what a file would change, and keeps that as a preview; nobody is changed. Returns its id. Throws `invalid` for a header that is
 * not understood; what is wrong with rows stands in the preview.
 */
export async function previewImport(
  work: Work,
  { file, bytes, owner, ...options }: ImportOptions & { file: ImportFile; bytes: Buffer; owner: string },
): Promise<string> {
  const columns = columnsOf(file.header, await listCustomAttributes(work.sql));
  const ids = new Map<number, string>();
  const idOf = (line: number) => {
    const id = ids.get(line) ?? newId(work.ctx.now());
    ids.set(line, id);
    return id;
  };
  const rows = await plan(work, { ...options, columns, rows: file.rows, idOf, lock: false });
  const id = randomUUID();
  const counts = countsOf(rows);
  await storeImport(work, {
    made: {
      id,
      owner,
      fileHash: createHash("sha256").update(bytes).digest("hex"),
      hash: planHash(rows),
      encoding: file.encoding,
      columns,
      counts,
    },
    rows,
    cells: new Map(file.rows.map(({ line, cells }) => [line, cells])),
    keyRing: options.keyRing,
  });
  await recordEvent(work, { name: "people.import_previewed", subjectType: "import", subjectId: id, data: counts });
  return id;
}

/**
 * Applies a preview, in the caller's transaction: whole or not at all, and only if deciding anew, with everybody concerned held fast, comes
 * to what was looked at (invariant 2). Throws `conflict` when it does not, when it has errors, or was applied before.
 */
export async function applyImport(
  work: Work,
  { id, hash, reason, ...options }: ImportOptions & { id: string; hash: string; reason: string },
): Promise<void> {
  const { sql } = work;
  const stored = await readImport(sql, id, { lock: true });
  if (stored.state === "applied")
    throw new AppError("conflict", "This import was applied already; it says what it changed.", { field: "import" });
  if (stored.hash !== hash) throw new AppError("conflict", "hash: is not that of this preview.", { field: "hash" });
  if (stored.counts.errors > 0)
    throw new AppError("conflict", `${stored.counts.errors} rows have errors: mend the file and hand it in again.`, { field: "import" });
  const cells = await importCells(sql, { id, keyRing: options.keyRing });
  const newcomers = new Map(cells.flatMap(({ line, personId }) => (personId === null ? [] : [[line, personId] as const])));
  const idOf = (line: number) => newcomers.get(line) ?? newId(work.ctx.now());
  // Before the people, as everybody does.
  await lockRules(sql, "shared");
  if (stored.columns.includes("manager")) await lockReportingLines(sql);
  const rows = await plan(work, { ...options, columns: stored.columns, rows: cells, idOf, lock: true });
  if (planHash(rows) !== hash)
    throw new AppError(
      "conflict",
      "Something of what this import was decided by has changed since: hand the file in again and look anew.",
      {
        field: "hash",
      },
    );
  const keys = await personKeys(
    work,
    options.keyRing,
    rows.flatMap(({ personId }) => personId ?? []),
  );
  await applyRows(work, { rows, keys, reason });
  await noteVouchingOfRows(work, { rows, reach: options.reach });
  await markApplied(work, { id, rows, keys, reason });
  await recordEvent(work, {
    name: "people.import_applied",
    subjectType: "import",
    subjectId: id,
    reason,
    data: { hash, created: stored.counts.create, updated: stored.counts.update },
  });
}

async function noteVouchingOfRows(work: Work, { rows, reach }: { rows: readonly PlannedRow[]; reach: ImportReach }): Promise<void> {
  for (const action of ["create", "update"] as const) {
    const { everything, organisation } = action === "create" ? reach.create : reach.edit;
    const said = rows.flatMap(({ personId, contribution, edit, ...row }) =>
      personId !== null && row.action === action
        ? { personId, keys: action === "create" ? Object.keys(contribution) : (edit?.changed ?? []) }
        : [],
    );
    await noteVouching(work, { said, everywhere: everything || organisation });
  }
}

async function plan(
  work: Work,
  given: Omit<ImportOptions, "keyRing"> & {
    columns: readonly string[];
    rows: readonly { line: number; cells: readonly string[] }[];
    idOf: (line: number) => string;
    lock: boolean;
  },
): Promise<PlannedRow[]> {
  const { ctx, sql } = work;
  const { caller, columns, rows, reach, check, idOf, lock } = given;
  const catalogue = await listCustomAttributes(sql);
  const inputs = await inTurns(rows, (row) => inputOf(row, { columns, catalogue, check }));
  const planned = await planRows(inputs, { facts: await loadImportFacts(sql, { inputs, reach, lock, now: ctx.now() }), idOf });
  const personIds = planned.flatMap(({ personId, action, edit }) =>
    personId && action === "update" && saysWhoTheyAre(edit)[0] ? [personId] : [],
  );
  return withoutMightier(planned, await holdingMore(work, { caller, personIds, onceIn: true }));
}

/** Of what a row changes, that by which accounts are matched, and where links to sign in are sent. */
function saysWhoTheyAre(edit: PlannedRow["edit"]): string[] {
  return (edit?.changed ?? []).filter((key) => key === "emails" || MATCHED_BY.has(key));
}

/** Turns rows into errors by which the caller could become who may do more. Pure. */
function withoutMightier(rows: readonly PlannedRow[], mightier: ReadonlyMap<string, string>): PlannedRow[] {
  return rows.map((row) => {
    const [key] = saysWhoTheyAre(row.edit);
    const beyond = row.personId === null ? undefined : mightier.get(row.personId);
    if (key === undefined || beyond === undefined) return row;
    const message = `says who somebody is who holds more in Rollcall than you do (${beyond}): somebody who holds it all has to do it`;
    return { ...row, action: "error", problems: [{ field: key === "emails" ? "email" : key, message }], changes: [], edit: null };
  });
}

function countsOf(rows: readonly PlannedRow[]): ImportCounts {
  const count = (action: PlannedRow["action"]) => rows.filter((row) => row.action === action).length;
  return { create: count("create"), update: count("update"), unchanged: count("unchanged"), errors: count("error") };
}
