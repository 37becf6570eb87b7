import { rmSync } from "node:fs";
import { chmod, mkdtemp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { startCluster, type Cluster } from "./scim/database.ts";

/** A folder of this run's own. It goes when the process ends, however it ends. */
export async function scratchFolder(name = ""): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `rollcall-bench-${name === "" ? "" : `${name}-`}`));
  // The `postgres` user, under which PostgreSQL runs when we are root, must be able to enter.
  await chmod(folder, 0o755);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A PostgreSQL of this run's own, in such a folder. Call `stop` when all is measured; a process that ends before stops it, too. */
export async function startScratch(name: string): Promise<{ folder: string; cluster: Cluster; stop(): Promise<void> }> {
  const folder = await scratchFolder(name);
  const cluster = await startCluster(folder);
  const stopAtOnce = () => cluster.stopAtOnce();
  process.once("exit", stopAtOnce);
  return {
    folder,
    cluster,
    async stop() {
      process.removeListener("exit", stopAtOnce);
      await cluster.stop();
    },
  };
}
