import path from "node:path";
import { openStore, type Store } from "../src/cli/store.ts";
import { readConfig } from "../src/config.ts";
import { createContext, type Context } from "../src/context.ts";
import { messageOf } from "../src/errors.ts";
import { createLog } from "../src/log.ts";
import { createCompany, type Company } from "./company.ts";
import { writeDefinition } from "./definition.ts";
import { startCsvDirectory } from "./directory-csv.ts";
import { startLdapDirectory } from "./directory-ldap.ts";
import type { DemoDirectory } from "./directory.ts";
import { startDownstream, type Downstream } from "./downstream.ts";
import { claimFolder } from "./folder.ts";
import { startServer, type RunningServer } from "./server.ts";

/** Everything that the demo starts, and its own way into the store. */
export interface World extends Pick<Store, "db" | "keyRing"> {
  ctx: Context;
  company: Company;
  folder: string;
  directory: DemoDirectory;
  downstream: Downstream;
  /** The definition of the connection to the application downstream. */
  targetFile: string;
  server: RunningServer;
  /** Stops everything in the order in which one needs the other: the server drains first. */
  stop(): Promise<void>;
}

export interface WorldOptions {
  people: number;
  groups: number;
  source: "ldap" | "csv";
  folder: string;
  port: number;
  environment: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** Told as each part is up: how many of STARTS. */
  onStarted: (done: number) => void;
}

/** Parts that are started: store, directory, application, server. */
export const STARTS = 4;

export async function startWorld(options: WorldOptions): Promise<World> {
  const { folder } = options;
  const started: (() => Promise<void>)[] = [await claimFolder(folder)];
  const isUp = (stopIt: () => Promise<void>) => options.onStarted(started.push(stopIt) - 1);
  const stop = async () => {
    const failures: unknown[] = [];
    // One part that ends badly leaves no other running.
    for (const end of started.splice(0).reverse()) await end().catch((error: unknown) => failures.push(error));
    if (failures.length) throw new AggregateError(failures, `Not everything stopped well: ${failures.map(messageOf).join("; ")}`);
  };
  try {
    const company = createCompany({ people: options.people, groups: options.groups });
    // The demo brings its own database and key, whatever the environment says about the real ones.
    const { DATABASE_URL: _url, ROLLCALL_KEY: _key, ...inherited } = options.environment;
    const environment = {
      ...inherited,
      ROLLCALL_DATA: folder,
      LOG_LEVEL: inherited["LOG_LEVEL"] || "warn",
      // The demo's directory and application run on this machine, and are spoken to directly.
      ROLLCALL_OUTBOUND_ALLOW: "127.0.0.0/8",
      HTTPS_PROXY: "",
      https_proxy: "",
    };
    const log = createLog({ level: environment.LOG_LEVEL });
    const ctx = createContext({ actor: "cli:demo", log, signal: options.signal });

    const store = await openStore(readConfig({ environment }), { log, poolSize: 5, refreshRoles: true });
    isUp(store.close);
    const directory = await (options.source === "ldap" ? startLdapDirectory : startCsvDirectory)({ company, folder });
    isUp(directory.stop);
    const downstream = await startDownstream();
    isUp(downstream.stop);
    const targetFile = await writeDefinition({
      template: "locker-app",
      folder: path.join(folder, "connections"),
      settings: { url: downstream.url },
      secrets: { "locker-app.token": downstream.token },
    });
    const server = await startServer({ environment, port: options.port, logFile: path.join(folder, "server.log") });
    isUp(server.stop);
    return { ctx, company, folder, directory, downstream, targetFile, server, db: store.db, keyRing: store.keyRing, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
