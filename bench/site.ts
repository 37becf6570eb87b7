import { rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { createCompany, type Company } from "../demo/company.ts";
import { writeCompanyLdif } from "../demo/ldif.ts";
import { startSlapd, type Slapd } from "../demo/slapd.ts";
import { inChild } from "./child.ts";
import { startCluster, type Cluster } from "./scim/database.ts";

export interface Size {
  people: number;
  groups: number;
  bigGroups: number;
  bigSize: number;
}

/** A database and a directory of one size, both real and empty of us. */
export interface Site {
  company: Company;
  slapd: Slapd;
  databaseUrl: string;
  stop(): Promise<void>;
}

const DATABASE = "site";
const SUFFIX = "dc=nordhaven,dc=example";

/** Starts PostgreSQL with the settings that it has in real use (fsync on) and slapd with a company of this size. */
export async function startSite({ folder, size }: { folder: string; size: Size }): Promise<Site> {
  await mkdir(folder, { recursive: true });
  const company = createCompany({ ...size, organised: false });
  const file = path.join(folder, "company.ldif");
  await writeCompanyLdif(company, { baseDn: SUFFIX, file });
  let cluster: Cluster | undefined;
  let slapd: Slapd | undefined;
  // Ctrl-C in the middle of a measurement leaves nothing behind, either; slapd ends with its parent.
  const stopAtOnce = () => {
    cluster?.stopAtOnce();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", stopAtOnce);
  const stop = async () => {
    process.removeListener("exit", stopAtOnce);
    await slapd?.stop();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    cluster = await startCluster(folder);
    // The schema engine is WebAssembly with one memory for the process: a process of its own for each database.
    await cluster.ensure(DATABASE, async (url) => void (await inChild({ step: "migrate", job: { url } })));
    slapd = await startSlapd({ folder: path.join(folder, "slapd"), ldif: file, suffix: SUFFIX });
    await rm(file);
    return { company, slapd, databaseUrl: cluster.url(DATABASE), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
