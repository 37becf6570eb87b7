import type { Command } from "commander";
import { rotateToken } from "../auth/rotation.ts";
import { inTransaction } from "../db/database.ts";
import { moment } from "./output.ts";
import { momentFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

interface Options {
  overlap: string;
  expires?: string;
}

export function tokenRotate(parent: Command, shell: Shell): void {
  parent
    .command("rotate")
    .description("make a token in another's place; prints only the new one, which is never shown again")
    .argument("<token>", "its name, or its id")
    .option("--overlap <when>", "how long the old one works beside it: a period (24h) or a date", "24h")
    .option("--expires <when>", "when the new one ends, or `never`; given as long as the old one was when absent")
    .action((token: string, { overlap, expires }: Options) =>
      shell.run(async ({ ctx, db, out }) => {
        const now = ctx.now();
        const oldUntil = momentFrom(overlap, { option: "--overlap", now });
        const expiresAt =
          expires === undefined ? undefined : expires === "never" ? null : momentFrom(expires, { option: "--expires", now });
        const rotated = await inTransaction(db, ctx, (work) => rotateToken(work, { token, oldUntil, expiresAt }));
        out.note(`The old token of ${rotated.name} works until ${moment(rotated.replaces.until)}.`);
        const { expiresAt: ending, ...made } = rotated;
        out.result({ ...made, expires: ending?.toISOString() ?? null }, rotated.token);
      }),
    );
}
