import type { Context } from "../context.ts";
import type { Sql } from "../db/database.ts";
import type { KeyRing, SealingKey } from "../db/envelope.ts";
import { fromProfile } from "../directory/attributes.ts";
import { personKeys, sealPersonal } from "../directory/personal.ts";
import type { Item, ItemPayload, KnownPerson } from "./records.ts";

export interface Sealing {
  ctx: Context;
  keyRing: KeyRing;
}

/** Puts before and after of each changed attribute into the item, sealed with the person's own key: erasing the key erases them from the trail. */
export async function sealChanges(
  sql: Sql,
  { sealing, items, people }: { sealing: Sealing; items: readonly Item[]; people: ReadonlyMap<string, KnownPerson> },
): Promise<void> {
  const changes = items.flatMap((item) => {
    const before = people.get(item.subjectId ?? "");
    return before && item.payload.person && item.payload.person.changed.length > 0 ? [{ item, before, person: item.payload.person }] : [];
  });
  if (changes.length === 0) return;
  const keys = await personKeys(
    { ctx: sealing.ctx, sql },
    sealing.keyRing,
    changes.map(({ before }) => before.id),
  );
  for (const { item, before, person } of changes) {
    const key = keys.get(before.id);
    if (!key) throw new Error(`no key was made for person ${before.id}`);
    item.payload.sealed = sealedChange(key, { before, person });
  }
}

/** Before and after of each changed attribute, sealed. */
export function sealedChange(
  key: SealingKey,
  { before, person }: { before: KnownPerson; person: NonNullable<ItemPayload["person"]> },
): string {
  const old: Record<string, unknown> = fromProfile(before.attributes);
  const next: Record<string, unknown> = fromProfile(person.attributes);
  const pick = (values: Record<string, unknown>) => Object.fromEntries(person.changed.map((name) => [name, values[name] ?? null]));
  return sealPersonal(key, { personId: before.id, value: { before: pick(old), after: pick(next) } });
}
