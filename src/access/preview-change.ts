import { z } from "zod";

const key = z.string().min(1).max(200);

/** A change that can be looked at before it is made, as it is kept. Ids are resolved when it is computed. */
export const previewChange = z.discriminatedUnion("kind", [
  /** Saves the rule of this name, whether or not there is one. */
  z.strictObject({ kind: z.literal("rule"), rule: z.record(z.string(), z.json()) }),
  z.strictObject({ kind: z.literal("ruleRemoval"), name: key }),
  /** What is absent stays. */
  z.strictObject({
    kind: z.literal("role"),
    key,
    permissions: z.array(key).max(5000).optional(),
    inherits: z.array(key).max(100).optional(),
  }),
  /** Carried out by the connection's next run, so it can be looked at, and is saved elsewhere. */
  z.strictObject({ kind: z.literal("mapping"), connection: key, mapping: z.record(z.string(), z.json()) }),
  z.strictObject({ kind: z.literal("unitMove"), unitId: z.uuid(), parentId: z.uuid().nullable() }),
]);

export type PreviewChange = z.input<typeof previewChange>;
/** What is saved as it was shown. */
export type SavedChange = Exclude<PreviewChange, { kind: "mapping" }>;
