import type { ImportFacts } from "./import-facts.ts";
import type { PlannedRow } from "./import-plan.ts";

/** Turns rows into errors whose manager can't be: by the whole file, since rows name each other. Pure. */
export function withoutWrongManagers(rows: readonly PlannedRow[], { above, by }: Pick<ImportFacts, "above" | "by">): PlannedRow[] {
  const next = new Map(above);
  for (const { personId, action, contribution } of rows) {
    const manager = contribution["manager"];
    if (personId !== null && action !== "error" && typeof manager === "string") next.set(personId, manager);
  }
  return rows.map((row) => {
    const { personId, action, contribution } = row;
    if (personId === null || action === "error" || contribution["manager"] === undefined) return row;
    if (leadsTo(next, { from: personId, to: personId })) return refused(row, "nobody can report to themselves, through others either");
    if (by?.strangers.has(personId) && leadsTo(next, { from: personId, to: by.personId }))
      return refused(row, "you would lead people whom you don't administer: somebody else has to do this");
    return row;
  });
}

/** Whether somebody reports to another, directly or through others. */
function leadsTo(above: ReadonlyMap<string, string | null>, { from, to }: { from: string; to: string }): boolean {
  const seen = new Set<string>();
  for (let at = above.get(from); at !== null && at !== undefined && !seen.has(at); at = above.get(at)) {
    if (at === to) return true;
    seen.add(at);
  }
  return false;
}

function refused(row: PlannedRow, message: string): PlannedRow {
  return { ...row, action: "error", problems: [{ field: "manager", message }], changes: [] };
}
