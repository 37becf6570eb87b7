import { z } from "zod";
import { withdrawAttribute } from "../../../access/attribute-removal.ts";
import {
  addCustomAttribute,
  changeCustomAttribute,
  CUSTOM_ATTRIBUTE_TYPES,
  findCustomAttribute,
  listCustomAttributes,
  type StoredAttribute,
} from "../../../directory/custom-attributes.ts";
import { requireVersion } from "../entity-tag.ts";
import { route, type Route } from "../route.ts";

const TAG = "Custom attributes";

const attributeSchema = z
  .object({
    id: z.string().describe("The key."),
    key: z.string(),
    type: z.enum(CUSTOM_ATTRIBUTE_TYPES),
    description: z.string(),
    required: z.boolean(),
    multiple: z.boolean(),
    choices: z.array(z.string()).nullable(),
    visibleTo: z.enum(["admin", "self", "everyone"]).describe("Who sees it beside administrators."),
    editableBy: z.enum(["admin", "self"]).describe("Who changes it beside administrators and origins."),
    version: z.int(),
  })
  .meta({ id: "CustomAttribute" });

const shown = (attribute: StoredAttribute) => ({ ...attribute, id: attribute.key });

const choices = z.array(z.string().trim().min(1).max(200)).min(1).max(500).nullable();
const changeable = {
  description: z.string().max(500),
  required: z.boolean(),
  choices,
  visibleTo: z.enum(["admin", "self", "everyone"]),
  editableBy: z.enum(["admin", "self"]),
};
const input = z.strictObject({
  key: z.string().max(64).describe("Letters, digits, dashes and underscores; its name in SCIM, unique whatever the case."),
  type: z.enum(CUSTOM_ATTRIBUTE_TYPES),
  multiple: z.boolean().optional(),
  ...z.object(changeable).partial().shape,
});

const params = z.object({ key: z.string().min(1).max(64) });
const edit = { permission: "rollcall.attributes.edit", on: "organisation" } as const;

export const attributeRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/attributes",
    summary: "The organisation's own attributes of people",
    description: "Their definitions, for whoever is signed in; values stand in the people.",
    tag: TAG,
    access: "signed-in",
    answer: z.object({ items: z.array(attributeSchema) }),
    handler: async ({ sql }) => ({ items: (await listCustomAttributes(sql)).map(shown) }),
  }),
  route({
    method: "post",
    path: "/attributes",
    summary: "Define an attribute",
    description: "It stands in profiles at once, and in SCIM's /Schemas as part of an extension of User.",
    tag: TAG,
    access: edit,
    body: input,
    example: { key: "badge", type: "number" },
    status: 201,
    answer: attributeSchema,
    idempotent: true,
    handler: async (call, { body }) => shown(await addCustomAttribute(call, body)),
  }),
  route({
    method: "get",
    path: "/attributes/{key}",
    summary: "One attribute",
    description: "Its definition; the ETag of the answer is what a change of it needs in If-Match.",
    tag: TAG,
    access: "signed-in",
    params,
    answer: attributeSchema,
    versioned: true,
    handler: async ({ sql }, { params: { key } }) => shown(await findCustomAttribute(sql, key)),
  }),
  route({
    method: "patch",
    path: "/attributes/{key}",
    summary: "Change who sees and changes an attribute, its choices, whether it is required",
    description: "Its key and type stay: they are those of the values that people have.",
    tag: TAG,
    access: edit,
    params,
    body: z.strictObject(changeable).partial(),
    example: { choices: ["blue", "red"], visibleTo: "self" },
    answer: attributeSchema,
    versioned: true,
    async handler(call, { params: { key }, body }) {
      const { version } = await findCustomAttribute(call.sql, key, { lock: true });
      requireVersion({ ifVersion: call.ifVersion, version, what: `The attribute ${key}` });
      return shown(await changeCustomAttribute(call, { key, change: body }));
    },
  }),
  route({
    method: "delete",
    path: "/attributes/{key}",
    summary: "Remove an attribute, and its values from every profile",
    description:
      "The values go at once and for good, and the attribute from SCIM's extension schema. Take it out of mappings first; refused (409) while conditions of rules ask for it. Refused (412) when it was changed since it was read.",
    tag: TAG,
    access: edit,
    params,
    status: 204,
    versioned: true,
    async handler(call, { params: { key } }) {
      const { version } = await findCustomAttribute(call.sql, key, { lock: true });
      requireVersion({ ifVersion: call.ifVersion, version, what: `The attribute ${key}` });
      await withdrawAttribute(call, key);
      return undefined;
    },
  }),
];
