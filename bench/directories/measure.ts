import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { addConnection } from "../../src/connections/store.ts";
import { createContext } from "../../src/context.ts";
import { inTransaction, openDatabase } from "../../src/db/database.ts";
import { sealingKey } from "../../src/db/envelope.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { createLog } from "../../src/log.ts";
import { inChild, type Measured } from "../child.ts";
import { CONNECTION } from "../connection.ts";
import type { Size } from "../site.ts";
import type { SyncJob, SyncResult } from "../step.ts";
import type { BareDirectoryJob, BareDirectoryRead } from "./bare/read.ts";
import { startCluster } from "../scim/database.ts";
import { difference, rowsWritten, type Written } from "../written.ts";
import { TITLES, type KindName } from "./kinds.ts";
import { startServing, type Serving } from "./serving.ts";

export interface RunMeasured extends Measured<SyncResult> {
  /** Requests that it made. */
  requests: number;
  /** Rows of people, accounts and memberships that it wrote, as PostgreSQL counted them. */
  written: Written;
}

const DATABASE = "directory";

/** Everything measured of one kind at one size. */
export interface DirectoryMeasurement {
  kind: KindName;
  size: Size;
  changed: number;
  /** There are no increments: every run reads everything. */
  alwaysFull: boolean;
  read: BareDirectoryRead;
  first: RunMeasured;
  unchanged: RunMeasured;
  /** Absent where every run reads everything: it would be `unchanged` again. */
  nothingNew?: RunMeasured;
  incremental: RunMeasured;
}

export interface MeasureDirectoryOptions {
  kind: KindName;
  folder: string;
  size: Size;
  changed: number;
  repeat: number;
  say: (line: string) => void;
}

/** Serves a company as this kind of system, reads it barely, and lets the real pipeline sync it into an embedded PostgreSQL. */
export async function measureDirectory(options: MeasureDirectoryOptions): Promise<DirectoryMeasurement> {
  const { kind, folder, size } = options;
  options.say(`${labelOf(options)}: starting PostgreSQL, filling the system`);
  await mkdir(folder, { recursive: true });
  const cluster = await startCluster(folder);
  let serving: Serving | undefined;
  // Ctrl-C in the middle of a measurement leaves nothing behind, either; the system ends with its parent.
  const stopAtOnce = () => {
    cluster.stopAtOnce();
    rmSync(folder, { recursive: true, force: true });
  };
  process.prependOnceListener("exit", stopAtOnce);
  try {
    await cluster.ensure(DATABASE, async (url) => void (await inChild({ step: "migrate", job: { url } })));
    serving = await startServing({ kind, size, folder });
    return await measureServed(options, { serving, databaseUrl: cluster.url(DATABASE) });
  } finally {
    process.removeListener("exit", stopAtOnce);
    await serving?.stop();
    await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureServed(
  options: MeasureDirectoryOptions,
  { serving, databaseUrl }: { serving: Serving; databaseUrl: string },
): Promise<DirectoryMeasurement> {
  const { kind, size, changed, repeat, say } = options;
  const label = labelOf(options);
  const key = randomBytes(32);
  await addServed({ kind, databaseUrl, key, settings: serving.settings });
  const sync = async (mode: SyncJob["mode"], what: string): Promise<RunMeasured> => {
    say(`${label}: ${what}`);
    await serving.takeCount();
    const before = await rowsWritten(databaseUrl);
    const measured = await inChild<SyncResult>({ step: "sync", job: { databaseUrl, key: key.toString("hex"), mode } satisfies SyncJob });
    const { state, mode: carriedOut, guards, notes } = measured.result;
    if (state !== "done") throw new Error(`${what} of ${label} ended as "${state}": ${guards.join("; ")}`);
    const expected = serving.alwaysFull ? "full" : mode;
    if (carriedOut !== expected) throw new Error(`${what} of ${label} was carried out as "${carriedOut}": ${notes.join("; ")}`);
    return { ...measured, requests: await serving.takeCount(), written: difference(before, await rowsWritten(databaseUrl)) };
  };
  say(`${label}: bare read, the best of ${repeat}`);
  const job: BareDirectoryJob = { kind, settings: serving.settings, repeat };
  const { result: read } = await inChild<BareDirectoryRead>({ step: "read-directory", job });
  const first = await sync("full", "first sync");
  await inChild({ step: "search-indexes", job: { databaseUrl } });
  const unchanged = await sync("full", "full sync with nothing changed");
  const nothingNew = serving.alwaysFull ? undefined : await sync("incremental", "incremental sync with nothing changed");
  say(`${label}: changing ${changed.toLocaleString("en")} people`);
  await serving.change(changed);
  const incremental = await sync("incremental", `sync with ${changed.toLocaleString("en")} changed`);
  const found = incremental.result.read["user"]?.changed;
  if (found !== changed) throw new Error(`${label}: ${changed} people were changed, ${found} were seen to have changed.`);
  const times = { first, unchanged, ...(nothingNew && { nothingNew }), incremental };
  // Somebody who ends a long benchmark before its end has seen what there was.
  say(
    `${label}: ${Object.entries(times)
      .map(([name, { ms }]) => `${name} ${(ms / read.ms).toFixed(2)} × read`)
      .join(", ")}`,
  );
  return { kind, size, changed, alwaysFull: serving.alwaysFull, read, ...times };
}

function labelOf({ kind, size }: MeasureDirectoryOptions): string {
  return `${TITLES[kind]}, ${size.people.toLocaleString("en")} people`;
}

/** The mapping that is shipped for this kind, pointed at what is served. */
async function addServed(options: { kind: KindName; databaseUrl: string; key: Buffer; settings: Served["settings"] }): Promise<void> {
  const file = path.join(projectFolder(), "config/mappings", `${options.kind}.yaml`);
  const shipped = parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const definition = { ...shipped, name: CONNECTION, settings: options.settings };
  const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });
  const db = openDatabase({ url: options.databaseUrl, poolSize: 2 });
  try {
    const keyRing = { current: sealingKey(options.key), older: [] };
    await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing }));
  } finally {
    await db.close();
  }
}

type Served = Pick<Serving, "settings">;
