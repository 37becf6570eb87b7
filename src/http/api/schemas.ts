import { z } from "zod";

/** Ids of people, units, groups, roles, grants. */
export const uuid = z.uuid({ error: "must be an id: a UUID" }).transform((id) => id.toLowerCase());
export const idParams = z.object({ id: uuid });

/** A moment in an answer: a Date from the database as ISO 8601 in UTC. */
export const instant = z
  .preprocess((value) => (value instanceof Date ? value.toISOString() : value), z.iso.datetime())
  .meta({ description: "ISO 8601, UTC." });

/** A moment in a request, with its offset. */
export const moment = z.iso
  .datetime({ offset: true, error: "must be a date and time with its offset: 2027-01-31T18:00:00Z" })
  .transform((text) => new Date(text))
  // With its offset it may lie outside of what an answer can show.
  .refine((at) => at.getUTCFullYear() >= 1 && at.getUTCFullYear() <= 9999, "must lie in the years 1 to 9999, in UTC");

/** A query parameter that is true or false. */
export const flag = z.enum(["true", "false"]).transform((text) => text === "true");

/** Text that people write: trimmed, without control characters. */
export const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .refine((text) => !/\p{Cc}/u.test(text), "must not hold control characters");

/** Why something is done; it stands in the audit trail. */
export const reason = line(500).describe("Why; it stands in the audit trail.");
