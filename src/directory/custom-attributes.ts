import { z } from "zod";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { CUSTOM_USER } from "./attributes.ts";

export const CUSTOM_ATTRIBUTE_TYPES = ["string", "number", "boolean", "date", "choice"] as const;

/** Names that mean something to JavaScript can't be the name of an attribute. */
const RESERVED = new Set(["constructor", "prototype", "tostring", "valueof", "hasownproperty"]);
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

/** SQL of the catalogue's version, for statements that run anyway: whoever keeps a copy compares it. */
export const CATALOGUE_VERSION = "(select version from catalogue_versions where name = 'custom_attributes')";

/** The organisation's own attributes of people, in the order in which they were made. */
export async function listCustomAttributes(sql: Sql): Promise<CustomAttribute[]> {
  const { rows } = await sql.query<CustomAttribute>(
    `select key, type, description, required, multiple, choices, visible_to as "visibleTo", editable_by as "editableBy" from custom_attributes order by id`,
  );
  return rows;
}

/** Adds an attribute of the organisation's own. Throws `invalid` naming each field that is wrong, `conflict` for a taken key. */
export async function addCustomAttribute(work: Work, input: unknown): Promise<CustomAttribute> {
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
  return attribute;
}

/** Takes an attribute out of the catalogue, and its values out of every profile. Throws `not_found`. */
export async function removeCustomAttribute(work: Work, key: string): Promise<void> {
  const { rows } = await work.sql.query<{ key: string; type: string }>(
    "delete from custom_attributes where lower(key) = lower($1) returning key, type",
    [key],
  );
  const removed = rows[0];
  if (!removed) throw new AppError("not_found", `There is no attribute ${key} of the organisation's own.`, { field: "key" });
  const { key: name, type } = removed;
  await work.sql.query(
    `update people set attributes = attributes #- array[$1, $2], custom = custom - $2, version = version + 1, modified_at = $3
     where attributes->$1 ? $2 or custom ? $2`,
    [CUSTOM_USER, name, work.ctx.now()],
  );
  await work.sql.query("update accounts set attributes = attributes #- array[$1, $2], version = version + 1 where attributes->$1 ? $2", [
    CUSTOM_USER,
    name,
  ]);
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
