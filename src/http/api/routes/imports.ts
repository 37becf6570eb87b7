import { z } from "zod";
import { requireMayGiveByRules, watchRules } from "../../../access/indirect-giving.ts";
import { keepingAdministratorsAmong } from "../../../access/last-administrator.ts";
import { OUT_OF_REACH, personBehind, type Reach, reachedPeople, reachesOf } from "../../../access/policy.ts";
import { recordEvent } from "../../../audit/record.ts";
import { inTransaction } from "../../../db/database.ts";
import { enqueue } from "../../../db/queue.ts";
import { listCustomAttributes } from "../../../directory/custom-attributes.ts";
import { AppError } from "../../../errors.ts";
import { applyImport, previewImport } from "../../../sync/import.ts";
import { importColumns } from "../../../sync/import-columns.ts";
import type { ImportReach } from "../../../sync/import-facts.ts";
import { readImportFile } from "../../../sync/import-file.ts";
import {
  deleteImport,
  listImportRows,
  listImports,
  missingImport,
  peopleOfImport,
  readImport,
  type StoredImport,
} from "../../../sync/import-store.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { personPatch } from "../people/schemas.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, reason } from "../schemas.ts";

const TAG = "Imports";
const MOST_BYTES = 20 * 1024 * 1024;
const access = { permission: "rollcall.people.import", on: "anywhere" } as const;

const importSchema = z
  .object({
    id: z.string(),
    state: z.enum(["previewed", "applied"]),
    hash: z.string().describe("What applying must name."),
    encoding: z.string(),
    columns: z.array(z.string()),
    counts: z.object({ create: z.int(), update: z.int(), unchanged: z.int(), errors: z.int() }),
    madeBy: z.string(),
    madeAt: instant,
    appliedBy: z.string().nullable(),
    appliedAt: instant.nullable(),
    reason: z.string().nullable(),
    version: z.int(),
  })
  .meta({ id: "PeopleImport" });

const rowSchema = z.object({
  line: z.int().describe("Of the file, the first being 1."),
  action: z.string().describe("create, update, unchanged, error"),
  personId: z.string().nullable(),
  problems: z.array(z.object({ field: z.string().describe("The column."), message: z.string() })),
  changes: z
    .array(z.object({ field: z.string(), before: z.json(), after: z.json() }))
    .nullable()
    .describe("Null when the values are forgotten: thirty days after, or with the person."),
});

/** By the rules of every other way to write a person. */
function checkValue(key: string, value: unknown): string | undefined {
  const [head = "", leaf] = key.split(".");
  const schema = (personPatch.shape as Readonly<Record<string, z.ZodType>>)[head];
  const result = schema?.safeParse(leaf === undefined ? value : { [leaf]: value });
  return result?.success === false ? (result.error.issues[0]?.message ?? "is not valid") : undefined;
}

/** A file is an administrator's: what one may do about oneself and one's team is no reach for it. */
async function importReach({ sql, caller, ctx }: ApiCall): Promise<ImportReach> {
  const permissions = ["rollcall.people.import", "rollcall.people.create", "rollcall.people.edit", "rollcall.people.view"] as const;
  const [first, create, edit, view] = await reachesOf(sql, { caller, permissions, at: ctx.now() });
  const granted = (reach: Reach | undefined): Reach => {
    if (!reach) throw new Error("a reach was not answered");
    return { ...reach, self: null, teamOf: null };
  };
  const personId = personBehind(caller);
  const by = personId === null || !edit ? null : { personId, leads: { ...edit, self: null }, organisation: edit.organisation };
  return { import: granted(first), create: granted(create), edit: granted(edit), view: granted(view), by };
}

/** Whose imports these are; services may be called alike. */
function ownerOf({ caller }: ApiCall): string {
  return caller.personId ?? caller.credential;
}

/** One's own, and everybody's for the organisation's administrators. */
async function ownImport(call: ApiCall, id: string): Promise<StoredImport> {
  const found = await readImport(call.sql, id);
  const { organisation } = await call.reach("rollcall.people.import");
  if (found.owner !== ownerOf(call) && !organisation) throw missingImport(OUT_OF_REACH);
  return found;
}

export const importRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/imports",
    summary: "One's own imports, the newest first; the organisation's administrators see all",
    description: "With their counts; a preview goes after a day, an applied one stays as the record of what it changed.",
    tag: TAG,
    access,
    query: z.strictObject(pageQuery),
    answer: pageOf(importSchema),
    async handler(call, { query: { limit, cursor } }) {
      const { organisation } = await call.reach("rollcall.people.import");
      const after = placeOf(cursor, z.tuple([z.iso.datetime(), z.uuid()]));
      const rows = await listImports(call.sql, { owner: organisation ? null : ownerOf(call), after, limit: limit + 1 });
      return page(rows, { limit, place: ({ madeAt, id }) => [madeAt.toISOString(), id] });
    },
  }),
  route({
    method: "get",
    path: "/people/imports/template",
    summary: "An empty file with every column there is",
    description:
      "UTF-8 with a mark that spreadsheets know, one line of headings, the organisation's own attributes included. Columns may be left out and come in any order.",
    tag: TAG,
    access,
    sends: "text/csv",
    async handler(call) {
      const header = importColumns(await listCustomAttributes(call.sql)).join(",");
      const headers = { "Content-Disposition": 'attachment; filename="people.csv"', "X-Content-Type-Options": "nosniff" };
      // The mark tells spreadsheets that it is UTF-8.
      return { special: "bytes", type: "text/csv; charset=utf-8", bytes: Buffer.from(`\ufeff${header}\r\n`), headers };
    },
  }),
  route({
    method: "post",
    path: "/people/imports",
    summary: "Hand in a CSV file and see what it would change",
    description:
      "Nobody is changed yet. People are known by userName, email or employeeNumber; an empty cell says nothing. Each row needs the permissions to import and to create or edit in the units concerned. A preview is kept for a day.",
    tag: TAG,
    access,
    upload: { types: ["text/csv"], mostBytes: MOST_BYTES },
    status: 201,
    answer: importSchema,
    idempotent: true,
    ownTransactions: true,
    async handler(call, { body }: { body: unknown }) {
      if (!Buffer.isBuffer(body) || body.length === 0) throw new AppError("invalid", "The file is missing.", { field: "body" });
      const file = await readImportFile(body);
      const reach = await importReach(call);
      return inTransaction(call.options.db, call.ctx, async (work) => {
        const id = await previewImport(work, {
          file,
          bytes: body,
          owner: ownerOf(call),
          caller: call.caller,
          reach,
          check: checkValue,
          keyRing: call.options.keyRing,
        });
        return readImport(work.sql, id);
      });
    },
  }),
  route({
    method: "get",
    path: "/people/imports/{id}",
    summary: "One import: what it would change, or has changed, counted",
    description:
      "Somebody else's is there (404) for the organisation's administrators only. `hash` is what `POST /people/imports/{id}/apply` must name.",
    tag: TAG,
    access,
    params: idParams,
    answer: importSchema,
    versioned: true,
    handler: (call, { params }) => ownImport(call, params.id),
  }),
  route({
    method: "get",
    path: "/people/imports/{id}/rows",
    summary: "An import's rows: what each would change, or has changed, and what is wrong with it",
    description:
      "In the file's order. Rows of people who are out of the caller's reach by now are left out. `action=error` lists what must be mended before it can be applied.",
    tag: TAG,
    access,
    params: idParams,
    query: z.strictObject({ ...pageQuery, action: z.enum(["create", "update", "unchanged", "error"]).optional() }),
    answer: pageOf(rowSchema),
    async handler(call, { params, query: { limit, cursor, action } }) {
      await ownImport(call, params.id);
      const within = reachedPeople((await importReach(call)).import, { person: "p", from: 5 });
      const after = placeOf(cursor, z.tuple([z.int()]))?.[0] ?? 0;
      const { keyRing } = call.options;
      const rows = await listImportRows(call.sql, { id: params.id, action, after, limit: limit + 1, within, keyRing });
      return page(rows, { limit, place: ({ line }) => [line] });
    },
  }),
  route({
    method: "post",
    path: "/people/imports/{id}/apply",
    locks: "administrators",
    summary: "Apply a preview: whole, or not at all",
    description: "Refused (409) when it has errors, and when deciding anew would come to something else than what was looked at.",
    tag: TAG,
    access,
    params: idParams,
    body: z.strictObject({ hash: z.string().regex(/^[0-9a-f]{64}$/, "is the preview's hash"), reason }),
    example: { hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", reason: "Autumn intake" },
    answer: importSchema,
    async handler(call, { params, body }) {
      const { id } = await ownImport(call, params.id);
      const personIds = await peopleOfImport(call.sql, id);
      await keepingAdministratorsAmong(call, personIds, async () => {
        const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now(), personIds });
        await applyImport(call, {
          id,
          ...body,
          caller: call.caller,
          reach: await importReach(call),
          check: checkValue,
          keyRing: call.options.keyRing,
        });
        await enqueue(call.sql, { job: "invite_imported", payload: { importId: id } });
        await requireMayGiveByRules(call.sql, watch, { personIds });
      });
      return readImport(call.sql, id);
    },
  }),
  route({
    method: "delete",
    path: "/people/imports/{id}",
    summary: "Forget a preview",
    description: "With the values that it held. One that was applied stays (409).",
    tag: TAG,
    access,
    params: idParams,
    async handler(call, { params }) {
      const { id, state } = await ownImport(call, params.id);
      if (state === "applied")
        throw new AppError("conflict", "This import was applied: it stays as the record of what it changed.", { field: "import" });
      await deleteImport(call, id);
      await recordEvent(call, { name: "people.import_discarded", subjectType: "import", subjectId: id, data: {} });
      return undefined;
    },
  }),
];
