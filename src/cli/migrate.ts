import type { Command } from "commander";
import type { Shell } from "./shell.ts";

export function migrateCommand(program: Command, shell: Shell): void {
  program
    .command("migrate")
    .description("bring the database up to date (a start does this, too)")
    .action(() =>
      shell.run(async ({ migrated, out }) => {
        out.result(
          { applied: migrated },
          migrated.length === 0 ? "The database is up to date." : migrated.map((name) => `Applied ${name}.`),
        );
      }),
    );
}
