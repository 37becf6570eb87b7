import { searchEvents, type AuditSearch, type StoredEvent } from "../audit/search.ts";
import type { AuditLine } from "../audit/tail.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { openPersonalOf } from "../directory/personal.ts";
import { reachedPeople, type Reach } from "./policy.ts";

/** An account that nobody was found for is named by its own id. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** An event as a reader may see it. */
export interface SeenEvent extends AuditLine {
  /** What was there before and what came after; null where there is nothing, or the reader may not see it. */
  personal: unknown;
  /** It holds personal values that are not shown: they are out of the reader's reach, or were erased. */
  sealed: boolean;
}

/**
 * Events, their personal values opened for whoever also reaches the person as an administrator does. Being oneself or somebody's
 * manager opens nothing: what is sealed holds attributes too that only administrators see.
 * @param people where the reader holds `rollcall.people.view`
 */
export async function seenEvents(
  work: Work,
  { keyRing, people, ...search }: AuditSearch & { keyRing: KeyRing; people: Reach },
): Promise<SeenEvent[]> {
  const events = await searchEvents(work.sql, search);
  const opened = await openedValues(work, { keyRing, people, events });
  return events.map(({ sealed, ...event }) => {
    const personal = opened.get(event.id) ?? null;
    return { ...event, personal, sealed: sealed !== null && personal === null };
  });
}

async function openedValues(
  { ctx, sql }: Work,
  { keyRing, people, events }: { keyRing: KeyRing; people: Reach; events: readonly StoredEvent[] },
): Promise<Map<number, unknown>> {
  const sealed = events.flatMap(({ id, subjectType, subjectId, sealed: value }) =>
    value !== null && subjectType === "person" && subjectId !== null && UUID.test(subjectId)
      ? [{ id, personId: subjectId, sealed: value }]
      : [],
  );
  if (sealed.length === 0) return new Map();
  const within = reachedPeople({ ...people, self: null, teamOf: null }, { person: "p", from: 2 });
  const { rows } = await sql.query<{ id: string }>(`select p.id from people p where p.id = any($1::uuid[]) and ${within.text}`, [
    [...new Set(sealed.map(({ personId }) => personId))],
    ...within.values,
  ]);
  const reached = new Set(rows.map(({ id }) => id));
  return openPersonalOf({ ctx, sql }, { keyRing, values: sealed.filter(({ personId }) => reached.has(personId)) });
}
