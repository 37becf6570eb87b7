import { Option, type Command } from "commander";
import { EXPORT_FORMATS, exportedText, type ExportFormat } from "../audit/export.ts";
import { recordEvent } from "../audit/record.ts";
import { EVERYTHING, searchEvents } from "../audit/search.ts";
import { wholeExport } from "../audit/whole-export.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { instantFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

interface Options {
  from?: string;
  to?: string;
  format: ExportFormat;
}

const AT_ONCE = 2000;

export function auditExport(parent: Command, shell: Shell): void {
  parent
    .command("export")
    .description("the audit trail on standard output, oldest first, without personal values; that it was exported is recorded")
    .option("--from <when>", "from this day or instant on: 2027-01-31, 2027-01-31T08:00:00Z")
    .option("--to <when>", "before this day or instant; up to now when absent")
    .addOption(new Option("--format <format>", "what to write").choices(EXPORT_FORMATS).default("ndjson"))
    .action(({ from, to, format }: Options) =>
      shell.run(async ({ ctx, db, terminal }) => {
        const filter = {
          from: from === undefined ? undefined : instantFrom(from, "--from"),
          to: to === undefined ? undefined : instantFrom(to, "--to"),
        };
        if (filter.from && filter.to && filter.from >= filter.to)
          throw new AppError("invalid", `--to: ${to} is not after ${from}, where --from begins.`, { field: "--to" });
        const { upTo, nextPage } = await wholeExport(db.pool, {
          from: filter.from,
          read: (range) => {
            ctx.signal.throwIfAborted();
            return searchEvents(db.pool, { filter, within: EVERYTHING, order: "oldest", ...range, limit: AT_ONCE });
          },
        });
        await inTransaction(db, ctx, (work) => recordEvent(work, { name: "audit.exported", subjectType: "audit", data: { format, upTo } }));
        for await (const text of exportedText({ format, nextPage })) terminal.write(text);
      }),
    );
}
