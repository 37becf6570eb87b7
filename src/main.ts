import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Express } from "express";
import type { Logger } from "pino";
import { EXIT, type ExitCode } from "./cli/exit.ts";
import type { Output } from "./cli/output.ts";
import { runCommandLine } from "./cli/program.ts";
import { openStore } from "./cli/store.ts";
import { baseUrlOf, processEnvironment, type Config } from "./config.ts";
import { requireAgreedClock } from "./db/agreed-clock.ts";
import { mostConnections, tooFewConnections, tooFewLent } from "./db/enough-connections.ts";
import { projectFolder } from "./db/folder.ts";
import { requireKnownKey } from "./db/known-key.ts";
import { migratedByNewer } from "./db/newer-database.ts";
import { AppError } from "./errors.ts";
import { setUpHeap } from "./heap.ts";
import { drain } from "./http/drain.ts";
import { serverOf } from "./http/server.ts";
import { createLog } from "./log.ts";

/** Connections for requests, beside those of the jobs. */
const WEB_CONNECTIONS = 12;
const REQUESTS_MAY_TAKE_MS = 15_000;
const HEADERS_MAY_TAKE_MS = 15_000;
/** Longer than proxies keep an idle connection (a minute, mostly): a request that is sent while we close one would fail there. */
const IDLE_CONNECTIONS_STAY_MS = 75_000;
/** As nginx has it. */
const ANSWERS_MAY_STAND_STILL_MS = 60_000;
/** Bodies that stop coming are cut off sooner (middleware/steady-body.ts). */
const LARGE_FILES_MAY_TAKE_MS = 300_000;
const MOST_HEADER_BYTES = 16 * 1024;

// Who reads only the first lines (`rollcall audit tail | head`) has all that was wanted. A file on a full disk has not.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  process.stderr.write(`The answer can't be written: ${error.message}.\n`);
  process.exit(EXIT.failed);
});

process.exitCode = await runCommandLine({
  arguments: process.argv.slice(2),
  environment: processEnvironment(),
  terminal: {
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    watched: process.stderr.isTTY,
  },
  version: (JSON.parse(readFileSync(path.join(projectFolder(), "package.json"), "utf8")) as { version: string }).version,
  startServer,
});

/** Opens the database, serves and works by `config.roles`, until a signal; then lets everything in flight finish. */
async function startServer({ config, out }: { config: Config; out: Output }): Promise<ExitCode> {
  setUpHeap();
  const log = createLog({ level: config.logLevel, buffered: true });
  const stopped = untilSignal(log);
  const stopping = new AbortController();
  // The commands beside `start` are quicker without what only a server needs.
  const [{ createApp }, { createQuirkLog }, { startWorker }] = await Promise.all([
    import("./app.ts"),
    import("./http/scim/dialects/quirk-log.ts"),
    import("./jobs/worker.ts"),
  ]);
  const poolSize = WEB_CONNECTIONS + config.worker.concurrency;
  // Before the first "ready" a database is made and migrated: some seconds, in which a terminal would stay empty.
  if (process.stderr.isTTY)
    out.note(config.databaseUrl === undefined ? `Starting PostgreSQL in ${config.data} …` : "Opening the database …");
  const store = await openStore(config, { log, poolSize, refreshRoles: true });
  const quirks = createQuirkLog({ db: store.db, log, now: () => new Date() });
  try {
    await requireKnownKey(store.db.pool, store.keyRing);
    await requireAgreedClock(store.db.pool, () => new Date());
    const needed = mostConnections(poolSize);
    const tooFew = (await tooFewConnections(store.db.pool, needed)) ?? (await tooFewLent(store.db.url, needed));
    if (tooFew !== undefined) log.warn(tooFew);
    const newer = await migratedByNewer(store.db.pool);
    if (newer !== undefined) log.warn(newer);
    const server = config.roles.includes("web")
      ? await listen(createApp({ db: store.db, keyRing: store.keyRing, config, log, quirks, stopping: stopping.signal }), config)
      : undefined;
    try {
      const worker = config.roles.includes("worker") ? await startWorker({ db: store.db, keyRing: store.keyRing, log, config }) : undefined;
      say({ config, out, log, server });
      await stopped;
      stopping.abort();
      if (server) await drain(server, { log, withinMs: REQUESTS_MAY_TAKE_MS });
      await worker?.stop();
    } finally {
      server?.closeAllConnections();
      server?.close();
    }
  } finally {
    await quirks.flush();
    await store.close();
  }
  log.info("stopped");
  return EXIT.ok;
}

/** Resolves at the first SIGTERM or SIGINT; the second ends the process at once. */
function untilSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) process.exit(130);
      asked = true;
      log.info({ signal }, "stopping: what is in flight is finished first; another signal stops at once");
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

function listen(app: Express, config: Config): Promise<Server> {
  const server = serverOf(app, {
    headersTimeout: HEADERS_MAY_TAKE_MS,
    requestTimeout: LARGE_FILES_MAY_TAKE_MS,
    keepAliveTimeout: IDLE_CONNECTIONS_STAY_MS,
    answersMayStandStillMs: ANSWERS_MAY_STAND_STILL_MS,
    maxHeaderSize: MOST_HEADER_BYTES,
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new AppError(
              "busy",
              `Port ${config.port} of ${config.host} is taken: something listens there already. Stop it, or set PORT to another.`,
              { field: "PORT", cause: error },
            )
          : error.code === "EADDRNOTAVAIL" || error.code === "EACCES" || error.code === "ENOTFOUND"
            ? new AppError(
                "misconfigured",
                `Rollcall can't listen on ${config.host}:${config.port} (${error.code}). Change HOST or PORT.`,
                { field: "HOST", cause: error },
              )
            : error,
      );
    });
    server.listen(config.port, config.host, () => resolve(server));
  });
}

/** Where to look, for somebody at a terminal; a line of log for everybody else. */
function say({ config, out, log, server }: { config: Config; out: Output; log: Logger; server: Server | undefined }): void {
  const { port } = (server?.address() ?? { port: 0 }) as AddressInfo;
  const url = server && `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`;
  log.info({ url, roles: config.roles }, "ready");
  if (!process.stdout.isTTY) return;
  out.line(
    [
      url === undefined ? "Rollcall works off jobs; it serves no requests (roles: worker)." : `Rollcall serves ${url}`,
      ...(url === undefined
        ? []
        : [
            `  sign in    ${baseUrlOf(config)}/login   the first one: npx rollcall administrator add E-MAIL --organisation NAME`,
            `  API        ${url}/api/docs   a token: npx rollcall token create --name NAME --scope api`,
            `  SCIM 2.0   ${url}/scim/v2   a token: npx rollcall token create --name NAME --scope scim`,
            `  health     ${url}/healthz  ${url}/readyz   metrics: ${url}/metrics`,
          ]),
      `  data       ${config.databaseUrl === undefined ? `${config.data} (embedded PostgreSQL)` : "PostgreSQL of DATABASE_URL"}`,
      "  next       npx rollcall connection add FILE   (examples in config/mappings)",
      "Ctrl-C stops it.",
    ].join("\n"),
  );
}
