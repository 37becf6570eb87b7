import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { AppError, messageOf } from "../errors.ts";
import { majorVersion, reachable, type Owner } from "./embedded-binaries.ts";

export interface ClusterOptions {
  /** Its folder. */
  cluster: string;
  binaries: string;
  owner: Owner | undefined;
}

export const SUPER_USER = "rollcall";

/**
 * The super-user's password of the cluster, which is made when there is none: beside its place, and put there once it is whole, so that
 * one whose making was broken off is never taken for one. The caller holds the lock of the data folder.
 */
export function passwordOf(options: ClusterOptions): string {
  const { cluster } = options;
  if (!existsSync(path.join(cluster, "PG_VERSION"))) initialise(options);
  const file = path.join(cluster, "password");
  if (!existsSync(file))
    throw new AppError(
      "misconfigured",
      `${file} is missing: the making of that cluster was broken off, or the file was taken away. Put it back; or, where nothing was stored yet, remove ${cluster}.`,
    );
  return readFileSync(file, "utf8").trim();
}

/** PostgreSQL reads no files of another major version: it would end at once, and say so in its log only. Throws `misconfigured`. */
export function refuseOtherVersion({ cluster, binaries }: ClusterOptions): void {
  const [made, now] = [Number(readFileSync(path.join(cluster, "PG_VERSION"), "utf8")), majorVersion(binaries)];
  if (made === now) return;
  throw new AppError(
    "misconfigured",
    `The data in ${cluster} were made by PostgreSQL ${made}, and the server that is to read them is PostgreSQL ${now}. Set ROLLCALL_POSTGRES_BIN to the folder of a PostgreSQL ${made}; or carry them over with its pg_dump.`,
  );
}

function initialise({ cluster, binaries, owner }: ClusterOptions): void {
  const folder = path.dirname(cluster);
  if (owner && !reachable(folder))
    throw new AppError(
      "misconfigured",
      `The data folder ${folder} can't be reached by the user "postgres", under which PostgreSQL runs when Rollcall runs as root. Set ROLLCALL_DATA to a folder that others may enter, or DATABASE_URL.`,
    );
  const making = `${path.basename(cluster)}.making-`;
  for (const left of readdirSync(folder).filter((name) => name.startsWith(making)))
    // The initdb of a process that was killed may still be writing.
    rmSync(path.join(folder, left), { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  const made = path.join(folder, making + randomBytes(6).toString("hex"));
  const data = path.join(made, "data");
  const password = path.join(made, "password");
  try {
    mkdirSync(made, { mode: 0o700 });
    writeFileSync(password, randomBytes(24).toString("hex"), { mode: 0o600 });
    for (const each of owner ? [made, password] : []) chownSync(each, owner?.uid ?? 0, owner?.gid ?? 0);
    initdb({ data, password, binaries, owner });
    renameSync(password, path.join(data, "password"));
    renameSync(data, cluster);
  } catch (cause) {
    throw new AppError("unavailable", `The embedded PostgreSQL could not be initialised in ${cluster}: ${messageOf(cause)}`, { cause });
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

interface InitdbOptions extends Pick<ClusterOptions, "binaries" | "owner"> {
  data: string;
  /** A file. */
  password: string;
}

function initdb({ data, password, binaries, owner }: InitdbOptions): void {
  // Letters as Unicode has them, in the order of their bytes. Before 17 it is the system's library that knows them.
  const builtIn = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C.UTF-8"];
  const locale = ["--encoding", "UTF8", ...(majorVersion(binaries) >= 17 ? builtIn : ["--lc-collate", "C", "--lc-ctype", "C.UTF-8"])];
  const access = ["--username", SUPER_USER, "--auth", "scram-sha-256", "--pwfile", password];
  execFileSync(path.join(binaries, "initdb"), ["--pgdata", data, ...access, ...locale], { ...owner, stdio: ["ignore", "ignore", "pipe"] });
}
