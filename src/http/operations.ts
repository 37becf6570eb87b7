import type { Express, Response } from "express";
import type { Logger } from "pino";
import { clockProblem } from "../db/agreed-clock.ts";
import type { Database } from "../db/database.ts";
import { pendingMigrations } from "../db/migrate.ts";
import type { Metrics } from "./metrics.ts";

export interface OperationsOptions {
  db: Database;
  metrics: Metrics;
  log: Logger;
  now: () => Date;
}

/** /healthz: the process is alive. /readyz: its database answers, is migrated, can be written to, and has our time. /metrics: for Prometheus. */
export function operationsRoutes(app: Express, { db, metrics, log, now }: OperationsOptions): void {
  app.get("/healthz", (_request, response) => {
    response.json({ status: "ok" });
  });
  app.get("/readyz", async (_request, response) => {
    await ready(response, { db, log, now });
  });
  app.get("/metrics", async (_request, response) => {
    response.type(metrics.contentType).send(await metrics.text());
  });
}

async function ready(response: Response, { db, log, now }: Omit<OperationsOptions, "metrics">): Promise<void> {
  try {
    const pending = await pendingMigrations(db.pool);
    const clock = await clockProblem(db.pool, now);
    if (clock !== undefined) {
      log.error(clock);
      response.status(503).json({ status: "not ready", reason: clock });
    } else if (pending.length === 0 && (await canBeWritten(db))) response.json({ status: "ready" });
    else if (pending.length === 0)
      response.status(503).set("Retry-After", "5").json({ status: "not ready", reason: "The database can only be read at the moment." });
    else
      response.status(503).json({
        status: "not ready",
        reason: `${pending.length} migrations are to be applied: ${pending.join(", ")}. \`rollcall migrate\` applies them.`,
      });
  } catch (error) {
    log.warn({ err: error }, "not ready: the database does not answer");
    response.status(503).set("Retry-After", "1").json({ status: "not ready", reason: "The database does not answer." });
  }
}

/** A server that stands by for another answers all that only reads, and so does one that was closed for want of room: nobody signs in by it. */
async function canBeWritten({ pool }: Database): Promise<boolean> {
  const { rows } = await pool.query<{ only: string }>("select current_setting('transaction_read_only') as only");
  return rows[0]?.only === "off";
}
