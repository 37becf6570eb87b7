import type { Command } from "commander";
import type { RunSummary } from "../sync/finish.ts";
import { recordRun } from "../sync/recording.ts";
import type { RunProblem } from "../sync/run-list.ts";
import { runSync } from "../sync/run.ts";
import { countLines } from "./counts.ts";
import { AppError } from "../errors.ts";
import { EXIT } from "./exit.ts";
import { reportProgress } from "./progress.ts";
import { firstProblems, problemLines } from "./run-problems.ts";
import type { Shell } from "./shell.ts";

interface Options {
  planOnly?: boolean;
  full?: boolean;
  remap?: boolean;
  record?: string;
}

export function connectionSync(parent: Command, shell: Shell): void {
  parent
    .command("sync")
    .description("read the source, plan, and apply what no guard holds; exit code 3 when the plan waits for approval")
    .argument("<name>", "the connection")
    .option("--plan-only", "stop with a plan that waits for approval")
    .option("--full", "read everything, memberships included")
    .option("--remap", "apply a changed mapping to stored accounts without reading the source")
    .option("--record <file>", "write what the system answers into a new file, without credentials, for `connection replay`")
    .action((name: string, { planOnly = false, full = false, remap = false, record }: Options) =>
      shell.run(async ({ ctx, db, keyRing, out, terminal }) => {
        if (full && remap)
          throw new AppError("invalid", "--full reads everything, --remap reads nothing: choose one of them.", { field: "--remap" });
        const progress = reportProgress(terminal);
        const mode = full ? "full" : remap ? "remap" : "incremental";
        try {
          const run = { db, keyRing, connection: name, mode, trigger: "cli", planOnly, onProgress: progress.onProgress } as const;
          const summary = record === undefined ? await runSync(ctx, run) : await recordRun(ctx, { ...run, file: record });
          const problems = await firstProblems(db.pool, summary);
          progress.stop();
          out.result({ ...summary, problems }, summaryLines(summary, problems));
          return summary.state === "held" ? EXIT.held : EXIT.ok;
        } finally {
          progress.stop();
        }
      }),
    );
}

export function summaryLines(summary: RunSummary, problems: readonly RunProblem[]): string[] {
  const read = Object.entries(summary.read).map(
    ([kind, { read: count, changed, problems: wrong }]) =>
      `${count} ${kind}s (${changed} changed${wrong ? `, ${wrong} with problems` : ""})`,
  );
  const planned = countLines(summary.plan);
  const { applied, refused, failed } = summary.applied;
  return [
    `Run ${summary.runId} of ${summary.connection} (${summary.mode}) read ${read.join(", ") || "nothing"}.`,
    ...problemLines(summary, problems),
    ...(planned.length === 0 ? [`Plan ${summary.planId}: nothing to do.`] : [`Plan ${summary.planId}:`, ...planned]),
    ...summary.notes.map((note) => `Note: ${note}`),
    ...(summary.state === "held"
      ? [
          ...summary.guards.map(({ message }) => `Held: ${message}`),
          `Nothing was changed. Next: rollcall plan show ${summary.planId}, then plan approve ${summary.planId} or plan reject ${summary.planId}`,
        ]
      : [
          `Applied ${applied}${refused ? `, ${refused} refused because something had moved on` : ""}${failed ? `, ${failed} failed` : ""}.`,
        ]),
  ];
}
