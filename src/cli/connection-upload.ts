import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { loadConnection } from "../connections/open.ts";
import { receiveUpload } from "../connections/upload-receive.ts";
import { noteUpload } from "../connections/upload-sync.ts";
import { storeUpload, uploadLimitsOf } from "../connections/uploads.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { runSync } from "../sync/run.ts";
import { summaryLines } from "./connection-sync.ts";
import { EXIT } from "./exit.ts";
import { reportProgress } from "./progress.ts";
import { firstProblems } from "./run-problems.ts";
import type { Shell } from "./shell.ts";
import { unreadable } from "./unreadable.ts";

export function connectionUpload(parent: Command, shell: Shell): void {
  parent
    .command("upload")
    .description("hand in a file for a connection that takes uploads, and sync it; exit code 3 when the plan waits for approval")
    .argument("<name>", "the connection")
    .argument("<file>", "the file; it is copied into the database, sealed")
    .option("--no-sync", "keep the file for the next sync")
    .action((name: string, file: string, { sync }: { sync: boolean }) =>
      shell.run(async ({ ctx, db, keyRing, out, terminal }) => {
        const connection = await loadConnection(db.pool, keyRing, name);
        const limits = uploadLimitsOf(connection);
        const received = await receiveUpload(await readable(file), limits);
        const upload = await inTransaction(db, ctx, async (work) => {
          const stored = await storeUpload(work, { connection, keyRing, received, keep: limits.keep });
          await noteUpload(work, { connection, upload: stored, sync: false });
          return stored;
        }).finally(() => received.close());
        const kept = `Kept ${upload.bytes} bytes as ${upload.file} (SHA-256 ${upload.sha256}).`;
        if (!sync) {
          out.result({ upload, run: null }, `${kept} Next: rollcall connection sync ${name}`);
          return EXIT.ok;
        }
        // Said at once: a sync that fails leaves the file where it is.
        out.line(kept);
        const progress = reportProgress(terminal);
        try {
          const run = await runSync(ctx, {
            db,
            keyRing,
            connection: name,
            mode: "incremental",
            trigger: "upload",
            onProgress: progress.onProgress,
          });
          const problems = await firstProblems(db.pool, run);
          progress.stop();
          out.result({ upload, run: { ...run, problems } }, summaryLines(run, problems));
          return run.state === "held" ? EXIT.held : EXIT.ok;
        } finally {
          progress.stop();
        }
      }),
    );
}

/** Says what is the matter with the file in words, before anything is written. */
async function readable(file: string): Promise<AsyncIterable<Buffer>> {
  const found = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (!found.isFile()) throw new AppError("invalid", `${file} is not a file.`, { field: "file" });
  return createReadStream(file);
}
