import type { Command } from "commander";
import { readRoleComparison } from "../access/comparison.ts";
import { AppError } from "../errors.ts";
import type { Shell } from "./shell.ts";

const SIGNS = { own: "yes", inherited: "inherited", none: "-" } as const;

export function roleCompare(parent: Command, shell: Shell): void {
  parent
    .command("compare")
    .description("roles by permission, side by side")
    .argument("[roles...]", "their keys; all roles when absent")
    .option("--module <name>", "only permissions of this module")
    .option("--differences", "only permissions in which they differ")
    .action((keys: readonly string[], { module, differences = false }: { module?: string; differences?: boolean }) =>
      shell.run(async ({ db, out }) => {
        const comparison = await readRoleComparison(db.pool);
        const unknown = keys.filter((key) => !comparison.roles.some((role) => role.key === key));
        if (unknown.length > 0)
          throw new AppError(
            "not_found",
            `There is no role ${unknown.join(", ")}; there are ${comparison.roles.map(({ key }) => key).join(", ")}.`,
            { field: "roles" },
          );
        const modules = [...new Set(comparison.rows.map(({ permission }) => permission.module))];
        if (module !== undefined && !modules.includes(module))
          throw new AppError("not_found", `There is no module ${module}; there are ${modules.join(", ")}.`, { field: "--module" });
        const roles = comparison.roles.filter(({ key }) => keys.length === 0 || keys.includes(key));
        const rows = comparison.rows.filter(({ permission, cells }) => {
          const held = new Set(roles.map(({ key }) => (cells[key] ?? "none") !== "none"));
          return (module === undefined || permission.module === module) && (!differences || held.size > 1);
        });
        if (out.json) out.result({ roles, rows }, "");
        else {
          out.table(rows, {
            columns: [
              { title: "PERMISSION", value: (row) => row.permission.key },
              ...roles.map(({ key }) => ({ title: key, value: (row: (typeof rows)[number]) => SIGNS[row.cells[key] ?? "none"] })),
            ],
            empty: differences ? "They do not differ." : "There are no permissions to compare.",
          });
        }
      }),
    );
}
