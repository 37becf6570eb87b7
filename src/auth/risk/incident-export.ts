import type { Reach } from "../../access/policy.ts";
import type { Sql } from "../../db/database.ts";
import { evidenceOf, listIncidents, notesOf, type IncidentFilter } from "./incident-list.ts";

const A_PAGE = 100;

interface ExportedIncidents extends IncidentFilter {
  /** Asked before each page: who may see them no more is told no more. */
  reachNow: () => Promise<Reach>;
}

/** Incidents in reach with evidence and notes, a line of JSON each, a portion a page: however many there are, only one page is held. */
export async function* exportedIncidents(sql: Sql, { reachNow, ...filter }: ExportedIncidents): AsyncGenerator<string> {
  for (let after: readonly [string, string] | undefined; ;) {
    const incidents = await listIncidents(sql, { reach: await reachNow(), limit: A_PAGE, after, ...filter });
    const lines: string[] = [];
    for (const incident of incidents) {
      const { id } = incident;
      lines.push(`${JSON.stringify({ ...incident, evidence: await evidenceOf(sql, id), notes: await notesOf(sql, id) })}\n`);
    }
    if (lines.length > 0) yield lines.join("");
    const last = incidents.at(-1);
    if (!last || incidents.length < A_PAGE) return;
    after = [last.lastAt.toISOString(), last.id];
  }
}
