import { step, type Batch } from "./source.ts";

/**
 * Who gained or lost an origin is at another version, though the profile may say the same: a plan that decided on "another
 * origin still lists them", or on "nobody does", must not be applied once that has moved.
 */
export async function noteOrigins(batch: Batch): Promise<void> {
  await step(batch, {
    name: "note_origins",
    text: `update people p set version = p.version + 1 from item i
        where p.id = i.subject_id and i.kind = 'user' and i.action in ('link', 'delete') and not (i.payload ? 'person')`,
  });
}
