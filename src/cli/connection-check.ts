import type { Command } from "commander";
import type { CheckResult, SourceRecord } from "../../connectors/contract.ts";
import { checkConnection, sampleRecords } from "../connections/check.ts";
import { loadConnection, type LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../errors.ts";
import { compileMapping, type CompiledKind } from "../sync/mapping.ts";
import { EXIT } from "./exit.ts";
import type { Shell } from "./shell.ts";

const SAMPLE = 10;

export function connectionCheck(parent: Command, shell: Shell): void {
  parent
    .command("check")
    .description("can it be reached and read, and what does the mapping make of the first records? Changes nothing")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const connection = await loadConnection(db.pool, keyRing, name);
        const reached = await checkConnection(connection, ctx);
        // A mapping can only be tried on what could be read.
        const results = reached.every(({ ok }) => ok) ? [...reached, ...(await tryMapping(ctx, connection))] : reached;
        out.result(
          results,
          results.map(({ ok, name: what, message }) => `${ok ? "ok  " : "FAIL"}  ${what}: ${message}`),
        );
        return results.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
      }),
    );
}

async function tryMapping(ctx: Context, connection: LoadedConnection): Promise<CheckResult[]> {
  if (!connection.mapping || !connection.connector.openSource) return [];
  const { kinds } = compileMapping(connection.mapping);
  const samples = await sampleRecords(connection, { log: ctx.log, signal: ctx.signal, now: ctx.now, limit: SAMPLE });
  return [...samples].flatMap(([kind, records]) => {
    const mapping = kinds[kind];
    return mapping ? [mappingResult(`mapping.${kind}`, { records, mapping })] : [];
  });
}

function mappingResult(name: string, { records, mapping }: { records: readonly SourceRecord[]; mapping: CompiledKind }): CheckResult {
  if (records.length === 0) return { name, ok: true, message: "there is no record to try it on" };
  const problems: string[] = [];
  let example: string | undefined;
  let inScope = 0;
  for (const { nativeId, attributes } of records) {
    try {
      if (!mapping.inScope(attributes)) continue;
      const mapped = mapping.map(attributes);
      inScope += 1;
      example ??= JSON.stringify(mapped);
    } catch (error) {
      problems.push(`${nativeId}: ${messageOf(error)}`);
    }
  }
  const summary = `${inScope} of the first ${records.length} are in scope${example === undefined ? "" : `; the first becomes ${example}`}`;
  return problems.length === 0
    ? { name, ok: true, message: summary }
    : { name, ok: false, message: `${problems.length} of the first ${records.length} can't be mapped: ${problems.join("; ")}` };
}
