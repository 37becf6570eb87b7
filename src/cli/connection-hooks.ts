import type { Command } from "commander";
import { hookOverview, type HookOverview } from "../connections/hooks/overview.ts";
import { moment } from "./output.ts";
import { renewHookSecret } from "../connections/hooks/renew.ts";
import { inTransaction } from "../db/database.ts";
import type { Shell } from "./shell.ts";

export function connectionHooks(parent: Command, shell: Shell): void {
  parent
    .command("hooks")
    .description(
      "change notifications of a connection: where they come to, what is subscribed to and until when, and the last one; --renew has them bear another secret",
    )
    .argument("<name>", "the connection")
    .option("--renew", "make another secret; the last one stays good until every subscription is made with the new one")
    .action((name: string, { renew = false }: { renew?: boolean }) =>
      shell.run(async ({ config, ctx, db, keyRing, out }) => {
        if (renew) await inTransaction(db, ctx, (work) => renewHookSecret(work, { name, keyRing }));
        const overview = await hookOverview(db.pool, { name, publicUrl: config.http.publicUrl });
        out.result(overview, hookLines(overview));
      }),
    );
}

function hookLines(overview: HookOverview): string[] {
  const { name, state, address, secret, subscriptions, madeBy, problem } = overview;
  return [
    `${name}  notifications ${state}`,
    `  address         ${address ?? "none: set http.publicUrl, the https address by which this server is reached"}`,
    `  secret          ${secret}`,
    `  subscriptions   ${madeBy === "administrator" ? "in that system's own console" : subscriptions.length === 0 ? "none" : ""}`.trimEnd(),
    ...subscriptions.map(({ about, expiresAt }) => `    ${about.padEnd(13)} until ${moment(expiresAt)}`),
    `  last looked at  ${moment(overview.keptAt)}`,
    `  last came       ${moment(overview.notifiedAt)} (${overview.notifications} so far)`,
    ...(problem === null ? [] : [`  problem         ${problem}`]),
  ];
}

/** One line of `connection show`. */
export function hookLine({ name, state, problem, notifiedAt }: HookOverview): string {
  const more = problem === null ? `last came ${moment(notifiedAt)}` : problem;
  return `  notifications   ${state}${state === "disabled" ? "" : `; ${more} (rollcall connection hooks ${name})`}`;
}
