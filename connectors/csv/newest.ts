/** A file among others in a folder. */
export interface Candidate {
  name: string;
  /** When it was last written, in milliseconds. */
  changedAt: number;
  size: number;
}

/** Whether a file's name fits a pattern of `*` and `?`. A name that begins with a dot is a draft, and never fits. */
export function fits(name: string, pattern: string): boolean {
  return !name.startsWith(".") && matches([...name], [...pattern]);
}

/** Without regular expressions, so that no pattern takes longer than its length times the name's. */
function matches(name: readonly string[], pattern: readonly string[]): boolean {
  let [at, spot, star, marked] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[spot] === "*") {
      star = spot++;
      marked = at;
    } else if (pattern[spot] === "?" || pattern[spot] === name[at]) {
      at += 1;
      spot += 1;
    } else if (star >= 0) {
      spot = star + 1;
      at = ++marked;
    } else return false;
  }
  while (pattern[spot] === "*") spot += 1;
  return spot === pattern.length;
}

/** The one that was written last; of two written at once the one whose name comes last. */
export function newestOf(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, each) =>
      best === undefined || each.changedAt > best.changedAt || (each.changedAt === best.changedAt && each.name > best.name) ? each : best,
    undefined,
  );
}
