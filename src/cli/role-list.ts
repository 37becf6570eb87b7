import type { Command } from "commander";
import { readRoleComparison } from "../access/comparison.ts";
import type { Shell } from "./shell.ts";

export function roleList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("all roles")
    .action(() =>
      shell.run(async ({ db, out }) => {
        const { roles, rows } = await readRoleComparison(db.pool);
        const listed = roles.map((role) => ({
          ...role,
          permissions: rows.filter(({ cells }) => (cells[role.key] ?? "none") !== "none").length,
        }));
        out.table(listed, {
          columns: [
            { title: "KEY", value: (role) => role.key },
            { title: "NAME", value: (role) => role.name },
            { title: "SET", value: (role) => role.set },
            { title: "PERMISSIONS", value: (role) => role.permissions, align: "right" },
          ],
          empty: "There are no roles: `modules` in config/default.yaml says which sets are installed; rollcall migrate loads them.",
        });
      }),
    );
}
