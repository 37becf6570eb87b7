import type { Command } from "commander";
import { rotateKey } from "../connections/rotate.ts";
import type { Shell } from "./shell.ts";

export function keyRotate(parent: Command, shell: Shell): void {
  parent
    .command("rotate")
    .description("seal every secret with a new master key; a running server goes on")
    .action(() =>
      shell.run(async ({ ctx, db, config, out }) => {
        const rotation = await rotateKey(ctx, { db, config });
        out.result(rotation, [
          `Sealed ${rotation.values} values with key ${rotation.to} (before: ${rotation.from}).`,
          ...(rotation.olderKeyDropped
            ? []
            : ["A long transaction is still open, so the older key stays in the key file; run this again later to drop it."]),
          ...(config.key === undefined
            ? ["Back up the new key file: without it the secrets can't be opened."]
            : ["The older key may go from config/local.yaml."]),
        ]);
      }),
    );
}
