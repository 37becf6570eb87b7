import { writeFileSync } from "node:fs";
import path from "node:path";
import { inChild } from "../child.ts";
import { startCluster, type Cluster } from "./database.ts";
import { directoryOf, groupIdAt, userIdAt } from "./directory.ts";
import { fillOurs, idsOfOurs } from "./fill-ours.ts";
import { fillPeers } from "./fill-peers.ts";
import { startLoader } from "./loader.ts";
import { summarised, type Measured } from "./measure.ts";
import { PARTS } from "./operations/all.ts";
import { measureInRounds, type Measuring } from "./rounds.ts";
import { startOurs } from "./servers/ours.ts";
import { startPeer, type Running } from "./servers/peer.ts";

export const SERVERS = ["ours", "bare", "memory", "postgres"] as const;
export type ServerName = (typeof SERVERS)[number];

/** What one server did at one size. */
export interface ServerResult {
  server: ServerName;
  measured: Measured[];
  /** Keys of operations that it does not offer. */
  missing: string[];
  /** Sentences about what it answered wrongly; only a peer may. */
  failed: { key: string; message: string }[];
  peakBytes?: number;
}

export interface SizeResult {
  people: number;
  servers: ServerResult[];
}

export interface RunOptions {
  folder: string;
  sizes: readonly number[];
  seconds: number;
  rounds: number;
  /** Keys; all when empty. */
  only: readonly string[];
  servers: readonly ServerName[];
  say: (line: string) => void;
}

/** Connections to PostgreSQL that each server may open: what ours has for its requests and jobs. */
const POOL_SIZE = 16;

export async function runServers(options: RunOptions): Promise<SizeResult[]> {
  const cluster = await startCluster(options.folder);
  const stopAtOnce = () => cluster.stopAtOnce();
  process.once("exit", stopAtOnce);
  try {
    const results: SizeResult[] = [];
    for (const people of options.sizes) {
      await makeTemplates(cluster, { people, ...options });
      results.push({ people, servers: await measureServers(cluster, { ...options, people }) });
    }
    return results;
  } finally {
    process.removeListener("exit", stopAtOnce);
    await cluster.stop();
  }
}

async function makeTemplates(cluster: Cluster, { people, say, servers }: RunOptions & { people: number }): Promise<void> {
  say(`${people.toLocaleString("en")} people: filling the databases`);
  if (servers.includes("ours")) {
    await cluster.ensure(`ours_${people}`, async (url) => {
      await inChild({ step: "migrate", job: { url } });
      await fillOurs({ url, people, key: cluster.key });
    });
  }
  await cluster.ensure(`peers_${people}`, (url) => fillPeers({ url, people }));
}

async function measureServers(cluster: Cluster, options: RunOptions & { people: number }): Promise<ServerResult[]> {
  const { servers, people, seconds, rounds, only, say } = options;
  const measuring: Measuring[] = [];
  try {
    for (const server of servers) measuring.push(await openServer(cluster, { ...options, server }));
    for (const part of PARTS) {
      const operations = part.filter(({ key }) => only.length === 0 || only.includes(key));
      await measureInRounds(measuring, {
        operations,
        seconds,
        rounds,
        say: (line) => say(`${people.toLocaleString("en")} people, ${line}`),
      });
    }
    return measuring.map(({ running, server, timed, missing, failed }) => ({
      server,
      measured: summarised(timed),
      missing,
      failed,
      peakBytes: running.peakBytes(),
    }));
  } finally {
    for (const { loader, running } of measuring) {
      loader.stop();
      await running.stop();
    }
  }
}

async function openServer(
  cluster: Cluster,
  { server, people, folder, seconds }: RunOptions & { server: ServerName; people: number },
): Promise<Measuring> {
  const { running, idsFile } = await startServer(cluster, { server, people, folder });
  const loader = startLoader();
  try {
    await loader.order({ kind: "target", address: running.address, people, idsFile, writable: server !== "bare" });
    // A server that has just started is slower than it will be for the rest of its life.
    await loader.order({ kind: "measure", key: "get", seconds, warmUpSeconds: seconds });
  } catch (error) {
    loader.stop();
    await running.stop();
    throw error;
  }
  return { server, running, loader, timed: [], missing: [], failed: [] };
}

async function startServer(
  cluster: Cluster,
  { server, people, folder }: { server: ServerName; people: number; folder: string },
): Promise<{ running: Running; idsFile: string }> {
  const database = `run_${server}`;
  const databaseUrl = cluster.url(database);
  const idsFile = path.join(folder, `ids-${server}-${people}.json`);
  if (server === "ours") {
    await cluster.clone(database, `ours_${people}`);
    // A folder of an earlier run may hold what an earlier version filled.
    await inChild({ step: "migrate", job: { url: databaseUrl } });
    writeFileSync(idsFile, JSON.stringify(await idsOfOurs(databaseUrl)));
    await cluster.settle();
    const running = await startOurs({ databaseUrl, key: cluster.key, logFile: path.join(folder, `ours-${people}.log`) });
    return { running, idsFile };
  }
  const directory = directoryOf(people);
  const ids = {
    users: Array.from({ length: directory.people }, (_, index) => userIdAt(index)),
    groups: Array.from(directory.groups, (_, index) => groupIdAt(index)),
  };
  writeFileSync(idsFile, JSON.stringify(ids));
  if (server !== "memory") await cluster.clone(database, `peers_${people}`);
  await cluster.settle();
  const job = { databaseUrl, poolSize: POOL_SIZE, token: "bench", people };
  const running = await (server === "bare"
    ? startPeer({ name: "bare", job })
    : startPeer({ name: "routers", job: { ...job, kind: server } }));
  return { running, idsFile };
}
