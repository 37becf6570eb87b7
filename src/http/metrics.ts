import type { RequestHandler } from "express";
import type { Logger } from "pino";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { AccessSnapshot } from "../access/snapshot/snapshot.ts";
import type { Database } from "../db/database.ts";
import { measureAccessSnapshot } from "./metrics-access.ts";
import { gatherState, type StateCounts } from "./metrics-state.ts";

export interface Metrics {
  contentType: string;
  /** Counts every request into its route's histogram. */
  measure: RequestHandler;
  /** The exposition text; what stands in the database is asked now. */
  text(): Promise<string>;
}

/** Prometheus metrics of one app, in a registry of its own. */
export function createMetrics({
  db,
  log,
  now,
  accessSnapshot,
}: {
  db: Database;
  log: Logger;
  now: () => Date;
  accessSnapshot: AccessSnapshot;
}): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const durations = new Histogram({
    name: "rollcall_http_request_duration_seconds",
    help: "Time to answer, by route.",
    labelNames: ["method", "route", "status"],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `rollcall_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const gauges: Record<keyof StateCounts, Gauge> = {
    runs: gauge("runs", "The last thousand runs of each connection, by state.", ["connection", "state"]),
    plansHeld: gauge("plans_held", "Plans that a guard holds for approval.", ["connection"]),
    deliveries: gauge("deliveries_last_hour", "Deliveries to targets that ended in the last hour, by state.", ["connection", "state"]),
    projections: gauge("projections", "Accounts and groups at targets, by the state of their delivery; idle is in step.", [
      "connection",
      "state",
    ]),
    projectionsDirty: gauge("projections_dirty", "Accounts and groups at targets whose desired state is to be worked out anew.", [
      "connection",
    ]),
    queue: gauge("queue_jobs", "Jobs waiting, by kind.", ["job"]),
    connections: gauge("connections", "Connections, by state.", ["state"]),
    people: gauge("people", "People, by state.", ["state"]),
    scimQuirks: gauge("scim_quirks", "How often SCIM clients departed from the RFCs, by connection, profile and quirk.", [
      "connection",
      "dialect",
      "quirk",
      "attribute",
    ]),
    notices: gauge("notices_last_day", "Messages to people of the last day, by kind, channel and state.", ["notice", "channel", "state"]),
    incidents: gauge("incidents", "Incidents that are not closed, by kind and state.", ["kind", "state"]),
    attempts: gauge("sign_in_attempts_last_hour", "Attempts to get in in the last hour, by kind and outcome.", ["kind", "outcome"]),
  };
  measureAccessSnapshot(registry, accessSnapshot);
  const up = gauge("database_up", "Whether the database answered this scrape.");

  return {
    contentType: registry.contentType,
    measure(request, response, next) {
      const stop = durations.startTimer({ method: request.method });
      response.once("close", () => stop({ route: routeOf(request), status: String(response.statusCode) }));
      next();
    },
    async text() {
      try {
        const counts = await gatherState(db.pool, { now: now() });
        for (const [name, rows] of Object.entries(counts)) {
          const metric = gauges[name as keyof StateCounts];
          metric.reset();
          for (const { labels, count } of rows) metric.set(labels, count);
        }
        up.set(1);
      } catch (error) {
        // A scrape must still tell that the database is gone.
        log.warn({ err: error }, "metrics: the database does not answer");
        up.set(0);
      }
      return await registry.metrics();
    },
  };
}

/** The route's pattern, never the path itself: ids would make a series each. */
function routeOf(request: { baseUrl: string; route?: unknown }): string {
  const { route } = request;
  const pattern: unknown = typeof route === "object" && route !== null && "path" in route ? route.path : undefined;
  if (typeof pattern !== "string") return "none";
  return `${/^\/scim\/[^/]+\/v2$/.test(request.baseUrl) ? "/scim/:connection/v2" : request.baseUrl}${pattern}`;
}
