import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { newestEvent } from "./search.ts";
import type { AuditLine } from "./tail.ts";

export interface WholeExport {
  /** The newest event of the export. */
  upTo: number;
  /** The next events after the given id, as `exportedText` asks for them. */
  nextPage: (after: number) => Promise<readonly AuditLine[]>;
}

export interface ExportedEvents {
  /** Events before this instant are not asked for. */
  from?: Date | undefined;
  /** Events after one id, up to another. */
  read: (range: { after: number; upTo: number }) => Promise<readonly AuditLine[]>;
}

/**
 * An export that lacks nothing of what there was when it began. What is older than events are kept may be removed meanwhile, and a file
 * that lacks it would not show that: then the next page throws `busy`, for what has been written to be thrown away.
 */
export async function wholeExport(sql: Sql, { from, read }: ExportedEvents): Promise<WholeExport> {
  const { rows } = await sql.query<{ newest: number | null }>("select max(id) as newest from audit_removals");
  const known = rows[0]?.newest ?? 0;
  const upTo = await newestEvent(sql);
  const nextPage = async (after: number) => {
    const events = await read({ after, upTo });
    const { rowCount } = await sql.query(
      "select from audit_removals where id > $1 and last_id > $2 and ($3::timestamptz is null or before > $3) limit 1",
      [known, after, from ?? null],
    );
    if (rowCount)
      throw new AppError("busy", "Events older than they are kept were removed while they were exported: begin again.", { retryAfter: 60 });
    return events;
  };
  return { upTo, nextPage };
}
