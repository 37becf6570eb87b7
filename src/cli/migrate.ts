import type { Command } from "commander";
import { migratedByNewer } from "../db/newer-database.ts";
import type { Shell } from "./shell.ts";

export function migrateCommand(program: Command, shell: Shell): void {
  program
    .command("migrate")
    .description("bring the database up to date (a start does this, too)")
    .action(() =>
      shell.run(async ({ db, migrated, out }) => {
        const newer = await migratedByNewer(db.pool);
        if (newer !== undefined) out.note(newer);
        out.result(
          { applied: migrated },
          migrated.length === 0 ? "The database is up to date." : migrated.map((name) => `Applied ${name}.`),
        );
      }),
    );
}
