import { Fault } from "../contract.ts";

const CANDIDATES = [",", ";", "\t", "|"] as const;

/** That of the four which the header line has most of, outside of quotation marks. Throws `misconfigured` when two have equally many. */
export function delimiterOf(name: string, header: string): string {
  const counts = new Map<string, number>(CANDIDATES.map((candidate) => [candidate, 0]));
  let quoted = false;
  for (const letter of header) {
    if (letter === '"') quoted = !quoted;
    else if (!quoted && counts.has(letter)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  const [[best, most], [, second]] = [...counts].sort(([, left], [, right]) => right - left) as [[string, number], [string, number]];
  if (most > 0 && most === second)
    throw new Fault("misconfigured", `${name}: which delimiter the header line has can't be told. Set \`delimiter\`.`);
  return most === 0 ? "," : best;
}
