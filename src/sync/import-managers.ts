import type { ImportFacts } from "./import-facts.ts";
import type { PlannedRow } from "./import-plan.ts";

/** Turns rows into errors whose manager can't be: by the whole file, since rows name each other. Pure. */
export function withoutWrongManagers(rows: readonly PlannedRow[], { above, by }: Pick<ImportFacts, "above" | "by">): PlannedRow[] {
  const next = new Map(above);
  for (const { personId, action, contribution } of rows) {
    const manager = contribution["manager"];
    if (personId !== null && action !== "error" && typeof manager === "string") next.set(personId, manager);
  }
  const circled = inCircles(next);
  const led = by && leadingTo(next, by.personId);
  return rows.map((row) => {
    const { personId, action, contribution } = row;
    if (personId === null || action === "error" || contribution["manager"] === undefined) return row;
    if (circled.has(personId)) return refused(row, "nobody can report to themselves, through others either");
    if (by?.strangers.has(personId) && led?.(personId))
      return refused(row, "you would lead people whom you don't administer: somebody else has to do this");
    return row;
  });
}

type Above = ReadonlyMap<string, string | null>;

/** Everybody who reports to themselves. Each is looked at once, however long the line above them is. */
function inCircles(above: Above): Set<string> {
  const [circled, done] = [new Set<string>(), new Set<string>()];
  for (const start of above.keys()) {
    const line = new Set<string>();
    let at: string | null | undefined = start;
    for (; at && !done.has(at) && !line.has(at); at = above.get(at)) line.add(at);
    if (at && line.has(at)) for (let each = at; !circled.has(each); each = above.get(each) ?? at) circled.add(each);
    for (const each of line) done.add(each);
  }
  return circled;
}

/** Whether somebody reports to this one, directly or through others; what was found of those on the way is kept. */
function leadingTo(above: Above, to: string): (personId: string) => boolean {
  const known = new Map<string, boolean>();
  return (personId) => {
    const line = new Set<string>();
    let found = false;
    for (let at: string | null | undefined = personId; at && !line.has(at); at = above.get(at)) {
      const before = known.get(at);
      found = before ?? above.get(at) === to;
      line.add(at);
      if (found || before !== undefined) break;
    }
    for (const each of line) known.set(each, found);
    return found;
  };
}

function refused(row: PlannedRow, message: string): PlannedRow {
  return { ...row, action: "error", problems: [{ field: "manager", message }], changes: [] };
}
