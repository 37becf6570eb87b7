import express, { type Express } from "express";
import type { Logger } from "pino";
import { createAccessSnapshot } from "./access/snapshot/snapshot.ts";
import { createCostsInUse } from "./auth/passwords/costs-in-use.ts";
import { createTurns } from "./auth/passwords/turns.ts";
import { createAttemptLimits } from "./auth/risk/attempt-limits.ts";
import { baseUrlOf, type Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import type { KeyRing } from "./db/envelope.ts";
import { createFeedsDoor } from "./http/feeds/door.ts";
import { createHooksDoor } from "./http/hooks/door.ts";
import { createMetrics } from "./http/metrics.ts";
import { requestId } from "./http/middleware/request-id.ts";
import { requestLog } from "./http/middleware/request-log.ts";
import { sequence } from "./http/middleware/sequence.ts";
import { securityHeaders } from "./http/middleware/security-headers.ts";
import { plainErrors, plainNotFound } from "./http/middleware/plain-errors.ts";
import { steadyBody } from "./http/middleware/steady-body.ts";
import { tidyPath } from "./http/middleware/tidy-path.ts";
import { createTokenEndpoint } from "./http/oauth/token-endpoint.ts";
import { operationsRoutes } from "./http/operations.ts";
import { createQuirkLog, type QuirkLog } from "./http/scim/dialects/quirk-log.ts";
import { createApiDoor } from "./http/api/door.ts";
import { sessionCaller } from "./http/login/console-caller.ts";
import { createLoginDoor } from "./http/login/door.ts";
import { createTexts } from "./http/login/texts.ts";
import { createScimDoor } from "./http/scim/router.ts";
import { wellKnownRoutes } from "./http/well-known.ts";
import { signInSettings } from "./sign-in-settings.ts";

export interface AppOptions {
  db: Database;
  keyRing: KeyRing;
  config: Pick<Config, "http"> & Partial<Pick<Config, "outbound" | "data" | "connections" | "signIn" | "port">>;
  log: Logger;
  /** The clock; the system's when absent. */
  now?: () => Date;
  /** Counts what SCIM clients do otherwise than the RFCs; one of the app's own when absent. */
  quirks?: QuirkLog;
  /** Aborts when the server is about to stop: answers that go on until somebody ends them end then. */
  stopping?: AbortSignal;
}

/** Previews of a large organisation take seconds each: more at once would make everybody else wait. */
const PREVIEWS = { atOnce: 2, waiting: 20, told: "Too many previews are being made at this moment. Try again soon." };

/** The HTTP application with all its doors. It does not listen. */
export function createApp({ db, keyRing, config, log, now = () => new Date(), quirks, stopping }: AppOptions): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("trust proxy", config.http.trustProxy);
  // Entity tags are versions of records here, never hashes of an answer.
  app.set("etag", false);
  app.set("query parser", "simple");
  const accessSnapshot = createAccessSnapshot({ db, log, now });
  const metrics = createMetrics({ db, log, now, accessSnapshot });
  const headers = securityHeaders({ https: config.http.publicUrl?.startsWith("https:") ?? false });
  app.use(sequence(requestId(), requestLog({ log }), metrics.measure, headers, steadyBody(), tidyPath()));
  const noted = quirks ?? createQuirkLog({ db, log, now });
  const { bodyLimit, rateLimit, clientCertificate } = config.http;
  const scim = createScimDoor({ db, keyRing, log, now, quirks: noted, bodyLimit, rateLimit, clientCertificate, network: config.outbound });
  // One door under two addresses: what it knows and counts of a client is the same. A connection may be named "v2".
  app.use("/scim/:connection/v2", scim);
  app.use("/scim/v2", scim);
  const { outbound: network, connections: { folders: connectionFolders } = { folders: [] } } = config;
  const { signIn = signInSettings.parse({}) } = config;
  const baseUrl = baseUrlOf(config);
  const { argon2: usual, verifications } = signIn.password;
  const verifying = {
    turns: createTurns(verifications),
    costs: createCostsInUse({ sql: db.pool, keyRing, usual, now }),
  };
  const api = {
    db,
    accessSnapshot,
    keyRing,
    log,
    now,
    bodyLimit,
    network,
    connectionFolders,
    signIn,
    turns: verifying.turns,
    previewTurns: createTurns(PREVIEWS),
    baseUrl,
    publicUrl: config.http.publicUrl,
    stopping,
  };
  app.use("/api", createApiDoor(api));
  app.use("/console/api", createApiDoor({ ...api, authenticate: sessionCaller({ db, settings: signIn, now, baseUrl }) }));
  operationsRoutes(app, { db, metrics, log, now });
  wellKnownRoutes(app, { http: config.http, now });
  app.use("/oauth/token", createTokenEndpoint({ db, log, now }));
  app.use("/feeds", createFeedsDoor({ db, keyRing, log, now }));
  app.use("/hooks", createHooksDoor({ db, keyRing, log, now }));
  const limits = createAttemptLimits({ db, keyRing, settings: signIn.limits, now, log });
  app.use(
    createLoginDoor({
      db,
      keyRing,
      log,
      now,
      settings: signIn,
      baseUrl,
      limits,
      verifying,
      texts: createTexts({ fallback: signIn.notify.language }),
      network,
    }),
  );
  app.use(plainNotFound());
  app.use(plainErrors({ log }));
  return app;
}
