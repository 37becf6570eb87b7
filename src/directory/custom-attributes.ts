import { z } from "zod";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { CUSTOM_USER } from "./attributes.ts";
import { markPeople } from "./outbox.ts";

export const CUSTOM_ATTRIBUTE_TYPES = ["string", "number", "boolean", "date", "choice"] as const;

/** Names that mean something to JavaScript, and the one that SCIM keeps for itself in every resource, can't be the name of an attribute. */
const RESERVED = new Set(["constructor", "prototype", "tostring", "valueof", "hasownproperty", "schemas"]);
const MOST_CHOICES = 500;

const shape = z.strictObject({
  /** The name by which SCIM clients know it, unique whatever the case. */
  key: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "must begin with a letter and have letters, digits, - and _ only, at most 64 of them")
    .refine((key) => !RESERVED.has(key.toLowerCase()), "is reserved"),
  type: z.enum(CUSTOM_ATTRIBUTE_TYPES),
  description: z.string().max(500).default(""),
  required: z.boolean().default(false),
  /** A list of values. */
  multiple: z.boolean().default(false),
  /** The values there are to choose from. */
  choices: z.array(z.string().trim().min(1).max(200)).min(1).max(MOST_CHOICES).nullable().default(null),
  /** Who sees it beside administrators: nobody else, the person, everyone. */
  visibleTo: z.enum(["admin", "self", "everyone"]).default("admin"),
  /** Who changes it beside administrators and origins. */
  editableBy: z.enum(["admin", "self"]).default("admin"),
});

export type CustomAttribute = z.output<typeof shape>;

/** As it stands in the catalogue. */
export interface StoredAttribute extends CustomAttribute {
  version: number;
}

/** What may be changed of one that has values already: its name and its type are those of the values. */
const changeable = shape.pick({ description: true, required: true, choices: true, visibleTo: true, editableBy: true }).partial();

export type CustomAttributeChange = z.input<typeof changeable>;

/** SQL of the catalogue's version, for statements that run anyway: whoever keeps a copy compares it. */
export const CATALOGUE_VERSION = "(select version from catalogue_versions where name = 'custom_attributes')";

const STORED = `select key, type, description, required, multiple, choices, visible_to as "visibleTo", editable_by as "editableBy", version from custom_attributes`;

/** The organisation's own attributes of people, in the order in which they were made. */
export async function listCustomAttributes(sql: Sql): Promise<StoredAttribute[]> {
  const { rows } = await sql.query<StoredAttribute>(`${STORED} order by id`);
  return rows;
}

/** One of them, whatever the key's case; `lock` keeps it as it is until the transaction ends. Throws `not_found`. */
export async function findCustomAttribute(sql: Sql, key: string, { lock = false } = {}): Promise<StoredAttribute> {
  const { rows } = await sql.query<StoredAttribute>(`${STORED} where lower(key) = lower($1) ${lock ? "for update" : ""}`, [key]);
  const [found] = rows;
  if (!found) throw new AppError("not_found", `There is no attribute ${key} of the organisation's own.`, { field: "key" });
  return found;
}

/** Adds an attribute of the organisation's own. Throws `invalid` naming each field that is wrong, `conflict` for a taken key. */
export async function addCustomAttribute(work: Work, input: unknown): Promise<StoredAttribute> {
  const attribute = checked(input);
  const { rowCount } = await work.sql.query(
    `insert into custom_attributes (key, type, description, required, multiple, choices, visible_to, editable_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
    [
      attribute.key,
      attribute.type,
      attribute.description,
      attribute.required,
      attribute.multiple,
      attribute.choices && JSON.stringify(attribute.choices),
      attribute.visibleTo,
      attribute.editableBy,
      work.ctx.now(),
    ],
  );
  if (!rowCount) throw new AppError("conflict", `There is an attribute ${attribute.key} already (names know no case).`, { field: "key" });
  const { key: name, type } = attribute;
  await recordEvent(work, { name: "attribute.created", subjectType: "attribute", subjectId: name, data: { name, type } });
  return { ...attribute, version: 1 };
}

/**
 * Changes what an attribute is for, who sees and changes it, whether it is required, or its choices. Throws `not_found`, `invalid` naming
 * each field that is wrong, `conflict` for a choice that somebody has.
 */
export async function changeCustomAttribute(
  work: Work,
  { key, change }: { key: string; change: CustomAttributeChange },
): Promise<StoredAttribute> {
  const before = await findCustomAttribute(work.sql, key, { lock: true });
  const { version, ...attribute } = before;
  const next = checked({ ...attribute, ...change });
  const gone = (before.choices ?? []).filter((choice) => !next.choices?.includes(choice));
  await refuseUsedChoices(work.sql, { key: before.key, choices: gone });
  await work.sql.query(
    "update custom_attributes set description = $2, required = $3, choices = $4, visible_to = $5, editable_by = $6, version = $7 where key = $1",
    [
      before.key,
      next.description,
      next.required,
      next.choices && JSON.stringify(next.choices),
      next.visibleTo,
      next.editableBy,
      version + 1,
    ],
  );
  const changed = Object.keys(changeable.shape).filter((name) => name in change);
  await recordEvent(work, {
    name: "attribute.updated",
    subjectType: "attribute",
    subjectId: before.key,
    data: { name: before.key, changed },
  });
  return { ...next, version: version + 1 };
}

async function refuseUsedChoices(sql: Sql, { key, choices }: { key: string; choices: readonly string[] }): Promise<void> {
  if (choices.length === 0) return;
  const { rows } = await sql.query<{ choice: string }>(
    `select choice from unnest($2::text[]) as choice where exists (select from people where state <> 'deleted' and (custom->>$1 = choice or custom->$1 ? choice)) limit 1`,
    [key, choices],
  );
  const [used] = rows;
  if (used) throw new AppError("conflict", `choices: somebody has ${used.choice}; give them another value first.`, { field: "choices" });
}

/** Attributes without one of the organisation's own ($1 its schema, $2 its key), and without that schema where it was the last: `schemas` names what is there. */
const WITHOUT_IT =
  "case when attributes->$1::text = jsonb_build_object($2::text, attributes->$1->$2) then attributes - $1::text else attributes #- array[$1, $2] end";

/** Takes an attribute out of the catalogue, and its values out of every profile. Throws `not_found`. */
export async function removeCustomAttribute(work: Work, key: string): Promise<void> {
  const { rows } = await work.sql.query<{ key: string; type: string }>(
    "delete from custom_attributes where lower(key) = lower($1) returning key, type",
    [key],
  );
  const removed = rows[0];
  if (!removed) throw new AppError("not_found", `There is no attribute ${key} of the organisation's own.`, { field: "key" });
  const { key: name, type } = removed;
  const { rows: people } = await work.sql.query<{ id: string }>(
    `update people set attributes = ${WITHOUT_IT}, custom = custom - $2, local = local - ('custom.' || $2), version = version + 1, modified_at = $3
     where attributes->$1 ? $2 or custom ? $2 or local ? ('custom.' || $2) returning id`,
    [CUSTOM_USER, name, work.ctx.now()],
  );
  await work.sql.query(`update accounts set attributes = ${WITHOUT_IT}, version = version + 1 where attributes->$1 ? $2`, [
    CUSTOM_USER,
    name,
  ]);
  await markPeople(work, { personIds: people.map(({ id }) => id) });
  await recordEvent(work, { name: "attribute.removed", subjectType: "attribute", subjectId: name, data: { name, type } });
}

function checked(input: unknown): CustomAttribute {
  const parsed = shape.safeParse(input);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => ({ field: path.map(String).join(".") || "attribute", message }));
    throw new AppError("invalid", "This is no attribute:", { problems, field: problems[0]?.field });
  }
  const { type, choices } = parsed.data;
  if ((type === "choice") !== (choices !== null)) {
    throw new AppError(
      "invalid",
      type === "choice" ? "choices: a choice needs the values to choose from." : `choices: a ${type} has none.`,
      { field: "choices" },
    );
  }
  return parsed.data;
}
