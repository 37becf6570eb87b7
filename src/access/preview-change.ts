import { z } from "zod";

const key = z.string().min(1).max(200);
const members = z.strictObject({ people: z.array(z.uuid()).max(1000), groups: z.array(z.uuid()).max(1000) });
const reason = z.string().max(1000);

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
  /** With every grant of it, and out of the roles that inherit it. */
  z.strictObject({ kind: z.literal("roleRemoval"), key, reason }),
  z.strictObject({ kind: z.literal("unitMerge"), unitId: z.uuid(), into: z.uuid(), reason }),
  z.strictObject({ kind: z.literal("groupMembers"), groupId: z.uuid(), add: members, remove: members, reason: reason.optional() }),
]);

export type PreviewChange = z.input<typeof previewChange>;
/** What concerns few enough, and has consequences enough, to be made and undone rather than simulated. */
export type TriedChange = Extract<PreviewChange, { kind: "roleRemoval" | "unitMerge" | "groupMembers" }>;
/** What is simulated, and saved as it was shown. */
export type SavedChange = Exclude<PreviewChange, TriedChange | { kind: "mapping" }>;

const TRIED: ReadonlySet<PreviewChange["kind"]> = new Set<TriedChange["kind"]>(["roleRemoval", "unitMerge", "groupMembers"]);

export function isTried(change: PreviewChange): change is TriedChange {
  return TRIED.has(change.kind);
}
