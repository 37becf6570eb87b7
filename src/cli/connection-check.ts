import type { Command } from "commander";
import type { CheckResult } from "../../connectors/contract.ts";
import { checkWhole } from "../auth/check-connection.ts";
import { baseUrlOf } from "../config.ts";
import { loadConnection, type LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../errors.ts";
import { tryMapping, type TriedMapping, type TriedRecord } from "../sync/try-mapping.ts";
import { EXIT } from "./exit.ts";
import type { Shell } from "./shell.ts";

const SAMPLE = 10;

export function connectionCheck(parent: Command, shell: Shell): void {
  parent
    .command("check")
    .description("can it be reached and read, and what does the mapping make of the first ten records of each kind? Stores nothing")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ ctx, config, db, keyRing, out }) => {
        const connection = await loadConnection(db.pool, keyRing, name);
        const reached = await checkWhole(ctx, { db, keyRing, baseUrl: baseUrlOf(config), connection });
        const mappings = await mappingResults(ctx, { connection, reached });
        const results: readonly (CheckResult | TriedMapping)[] = [...reached, ...mappings];
        out.result(
          results,
          results.flatMap((result) => [resultLine(result), ...("samples" in result ? result.samples.map(sampleLine) : [])]),
        );
        return results.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
      }),
    );
}

/** A mapping can only be tried on what can be read; one kind that can't does not keep the others from being shown. */
async function mappingResults(
  ctx: Context,
  { connection, reached }: { connection: LoadedConnection; reached: readonly CheckResult[] },
): Promise<readonly (CheckResult | TriedMapping)[]> {
  if (!reached.some(({ ok }) => ok)) return [];
  try {
    return await tryMapping(ctx, { connection, limit: SAMPLE });
  } catch (error) {
    return [{ name: "mapping", ok: false, message: messageOf(error) }];
  }
}

function resultLine({ ok, name, message, permission }: CheckResult): string {
  return `${ok ? "ok  " : "FAIL"}  ${name}: ${message}${permission === undefined || message.includes(permission) ? "" : ` Missing: ${permission}`}`;
}

function sampleLine(record: TriedRecord): string {
  if (record.outcome === "failed") return `        ${record.nativeId}: ${record.problem}`;
  return `        ${record.nativeId} ${record.outcome === "mapped" ? `becomes ${JSON.stringify(record.becomes)}` : "is out of scope"}`;
}
