import type { Command } from "commander";
import { hookOverviewOf } from "../connections/hooks/overview.ts";
import { findConnection } from "../connections/open.ts";
import { listQuirks, quirkSentence } from "../connections/quirks.ts";
import { hookLine } from "./connection-hooks.ts";
import { moment } from "./output.ts";
import type { Shell } from "./shell.ts";

/** The most frequent ones; `connection quirks` has all. */
const QUIRKS_SHOWN = 5;

export function connectionShow(parent: Command, shell: Shell): void {
  parent
    .command("show")
    .description("one connection: its settings without secrets, its state, and what was noticed of its client")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ config, db, out }) => {
        const row = await findConnection(db.pool, name);
        const notifications = await hookOverviewOf(db.pool, { row, publicUrl: config.http.publicUrl });
        const quirks = await listQuirks(db.pool, { connectionId: row.id });
        const secrets = Object.keys(row.secrets);
        const { connector, enabled, state, schedule, precedence, settings, version } = row;
        const reason = row.state_reason;
        const shown = {
          name,
          connector,
          enabled,
          state,
          reason,
          schedule,
          precedence,
          version,
          settings,
          secrets,
          lastRunAt: row.last_run_at,
          ...(notifications ? { notifications } : {}),
        };
        out.result({ ...shown, quirks: quirks.map((line) => ({ ...line, says: quirkSentence(line) })) }, [
          `${name}  ${connector}  ${enabled ? state : "disabled"}${reason ? ` (${reason})` : ""}`,
          `  precedence      ${precedence}`,
          `  schedule        ${schedule ?? "by hand"}`,
          `  last run        ${moment(row.last_run_at)}`,
          ...(notifications ? [hookLine(notifications)] : []),
          ...Object.entries(settings).map(
            ([key, value]) => `  ${key.padEnd(15)} ${typeof value === "string" ? value : JSON.stringify(value)}`,
          ),
          ...(secrets.length ? [`  sealed          ${secrets.join(", ")}`] : []),
          ...(quirks.length ? ["", "Departs from the RFCs"] : []),
          ...quirks.slice(0, QUIRKS_SHOWN).map((line) => `  ${quirkSentence(line)}`),
          ...(quirks.length > QUIRKS_SHOWN ? [`  and ${quirks.length - QUIRKS_SHOWN} more: rollcall connection quirks ${name}`] : []),
        ]);
      }),
    );
}
