import type { Filter } from "ldapts";
import type { Page } from "../contract.ts";
import { addPrimaryMembers } from "./active-directory/primary-members.ts";
import type { Entry } from "./entry.ts";
import { addMemberUids, completeRanges, type Reading } from "./members.ts";
import { readPages } from "./pages.ts";
import { isProblem } from "./records.ts";

export const NOUNS = { user: "users", group: "groups", unit: "units" } as const;

/** What a read saw of the times of change. */
export interface Seen {
  latest?: string;
  /** An entry without one: a filter on it would see nothing. */
  missing: boolean;
}

/** Reads entries page by page as records; `nameless` counts those whose native id is hidden from us. */
export async function* recordPages(
  options: Reading & { seen: Seen; filter: string | Filter; what: string },
): AsyncGenerator<Page, { final: boolean; count: number; nameless: number }> {
  const { session, reader, seen, what } = options;
  const { settings } = session;
  const changedSlot = reader.shape.slots.get(settings.changedAttribute.toLowerCase()) ?? -1;
  const pageSize = reader.kind === "group" ? settings.groupPageSize : settings.pageSize;
  let count = 0;
  let nameless = 0;
  const { shape, controls } = reader;
  const pages = readPages(session, { ...reader.entries, filter: options.filter, shape, controls, what, pageSize });
  try {
    for (;;) {
      const step = await pages.next();
      if (step.done) return { final: step.value.final, count, nameless };
      for (const entry of step.value) {
        const changed = entry.values[changedSlot];
        if (typeof changed !== "string") seen.missing = true;
        else if (seen.latest === undefined || changed > seen.latest) seen.latest = changed;
      }
      const page = await recordsOf({ session, reader, entries: step.value, what });
      count += page.records.length;
      nameless += page.problems?.length ?? 0;
      yield page;
    }
  } finally {
    await pages.return({ final: false });
  }
}

/** Entries as records, with all their members. */
export async function recordsOf(options: Reading & { entries: readonly Entry[]; what: string }): Promise<Page> {
  const { session, reader, entries } = options;
  await completeRanges(options);
  const page: Page = { records: [] };
  for (const entry of entries) {
    const read = reader.read(entry);
    if (isProblem(read)) (page.problems ??= []).push(read);
    else page.records.push(read);
  }
  await addMemberUids({ session, reader, entries, page });
  await addPrimaryMembers({ session, reader, entries, page });
  return page;
}
