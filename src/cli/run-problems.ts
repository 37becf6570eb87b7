import type { Sql } from "../db/database.ts";
import type { RunSummary } from "../sync/finish.ts";
import { listRunProblems, type RunProblem } from "../sync/run-list.ts";

/** As many as somebody reads; the administration API has all of them. */
const SHOWN = 10;

/** The first records of a run that could not be taken in as they are; none is asked for where none was counted. */
export async function firstProblems(sql: Sql, summary: RunSummary): Promise<RunProblem[]> {
  return countOf(summary) === 0 ? [] : listRunProblems(sql, { runId: summary.runId, limit: SHOWN });
}

/** The same as lines, and where the others are. */
export function problemLines(summary: RunSummary, problems: readonly RunProblem[]): string[] {
  const others = countOf(summary) - problems.length;
  return [
    ...problems.map(({ kind, nativeId, message }) => `Problem: ${kind} ${nativeId}: ${message}`),
    ...(others > 0 ? [`and ${others} more: GET /api/v1/runs/${summary.runId}/problems`] : []),
  ];
}

function countOf({ read }: RunSummary): number {
  return Object.values(read).reduce((sum, { problems }) => sum + problems, 0);
}
