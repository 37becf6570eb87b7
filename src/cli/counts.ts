type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Items by kind and action, a line a kind. */
export function countLines(counts: Counts): string[] {
  return Object.entries(counts).map(([kind, actions]) => `  ${`${kind}s`.padEnd(7)}${actionsOf(actions)}`);
}

/** The same on one line. */
export function itemsOf(counts: Counts): string {
  return (
    Object.entries(counts)
      .map(([kind, actions]) => `${kind}s: ${actionsOf(actions)}`)
      .join("; ") || "nothing to do"
  );
}

function actionsOf(actions: Readonly<Record<string, number>>): string {
  return Object.entries(actions)
    .map(([action, count]) => `${action} ${count}`)
    .join(", ");
}
