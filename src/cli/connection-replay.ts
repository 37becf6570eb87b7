import type { Command } from "commander";
import { replayRun, type Replayed } from "../sync/recording.ts";
import { countLines } from "./counts.ts";
import { EXIT } from "./exit.ts";
import { reportProgress } from "./progress.ts";
import type { Shell } from "./shell.ts";

export function connectionReplay(parent: Command, shell: Shell): void {
  parent
    .command("replay")
    .description("decide again on a recorded run, without asking the system; nothing is applied. Exit code 1 when it comes to another plan")
    .argument("<file>", "what `connection sync NAME --record FILE` wrote")
    .option("--connection <name>", "decide with this connection's mapping and accounts; the recorded one when absent")
    .action((file: string, { connection }: { connection?: string }) =>
      shell.run(async ({ ctx, db, keyRing, out, terminal }) => {
        const progress = reportProgress(terminal);
        try {
          const replayed = await replayRun(ctx, { db, keyRing, file, connection, onProgress: progress.onProgress });
          progress.stop();
          out.result(replayed, replayLines(replayed));
          return replayed.same ? EXIT.ok : EXIT.failed;
        } finally {
          progress.stop();
        }
      }),
    );
}

function replayLines({ connection, summary, fault, recorded, same }: Replayed): string[] {
  const came = summary ? `the plan ${summary.hash}` : `a failure: ${fault}`;
  const was = recorded.hash ? `the plan ${recorded.hash}` : recorded.fault ? `a failure: ${recorded.fault}` : "no end: it was cut off";
  return [
    `Replayed the run of ${recorded.startedAt} on ${connection}.`,
    ...(same ? [`As recorded, it came to ${came}`] : [`Recorded was ${was}`, `The replay came to ${came}`]),
    ...(summary
      ? [
          ...countLines(summary.plan),
          ...summary.notes.map((note) => `Note: ${note}`),
          ...summary.guards.map(({ message }) => `Would be held: ${message}`),
          `Nothing was changed. Item by item: rollcall plan show ${summary.planId}`,
        ]
      : []),
  ];
}
