import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "ldapts";

/** A real Active Directory domain controller (Samba) on a loopback address of its own: its ports can't be chosen. */
export interface Samba {
  /** ldaps://127.x.y.z; the certificate names that address. */
  url: string;
  /** The CA that signed the server's certificate, PEM. */
  caFile: string;
  baseDn: string;
  adminDn: string;
  adminPassword: string;
  folder: string;
  /** Restarts it on the same data and address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const REALM = "AD.EXAMPLE.ORG";
const BASE = "DC=ad,DC=example,DC=org";
const ADMIN_PASSWORD = "Passw0rd!admin";
let started = 0;

/** False, after saying why, where Samba can't run: those tests are then skipped. */
export function sambaIsHere(): boolean {
  const missing = !existsSync("/usr/sbin/samba") || !existsSync("/usr/bin/samba-tool");
  if (!missing && process.getuid?.() === 0) return true;
  const reason = missing ? "Samba is not installed (sudo node scripts/counterparts.mjs)" : "only root may start Samba";
  process.stderr.write(`The tests against Active Directory are skipped: ${reason}.\n`);
  return false;
}

/** Starts a domain controller with an empty domain and waits until it answers. */
export async function startSamba(): Promise<Samba> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "rollcall-samba-"));
  await cp(await provisioned(), folder, { recursive: true });
  for (const name of ["run", "log"]) await mkdir(path.join(folder, name), { recursive: true });
  const address = ownAddress(started++);
  const configuration = path.join(folder, "etc", "smb.conf");
  await writeFile(configuration, smbConf({ folder, address }));
  await makeCertificates({ folder: path.join(folder, "tls"), address });
  const url = `ldaps://${address}`;
  const caFile = path.join(folder, "tls", "ca.crt");
  let child = launch(configuration);
  const endWithUs = () => kill(child, "SIGKILL");
  process.once("exit", endWithUs);
  const stop = async () => {
    process.removeListener("exit", endWithUs);
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answers({ child, url, folder });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    caFile,
    baseDn: BASE,
    adminDn: `CN=Administrator,CN=Users,${BASE}`,
    adminPassword: ADMIN_PASSWORD,
    folder,
    restart: async () => {
      await end(child);
      child = launch(configuration);
      await answers({ child, url, folder });
    },
    stop,
  };
}

/** Provisioning takes five seconds: it is done once on a machine, and copied. */
async function provisioned(): Promise<string> {
  const { stdout } = await run("samba", ["--version"]);
  const kept = path.resolve("node_modules", ".rollcall", `samba-${stdout.trim().replace(/[^\w.-]+/g, "-")}`);
  if (existsSync(kept)) return kept;
  await mkdir(path.dirname(kept), { recursive: true });
  const folder = await mkdtemp(`${kept}-`);
  await run("samba-tool", [
    ...["domain", "provision", `--realm=${REALM}`, "--domain=AD", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL"],
    ...["--host-name=dc1", "--host-ip=127.0.0.1", `--adminpass=${ADMIN_PASSWORD}`, "--use-rfc2307", `--targetdir=${folder}`],
    ...["--option=interfaces=lo", "--option=bind interfaces only=yes", "--option=vfs objects=dfs_samba4"],
  ]);
  try {
    await rename(folder, kept);
  } catch (error) {
    // Another test file was sooner; its folder is as good.
    await rm(folder, { recursive: true, force: true });
    if (!existsSync(kept)) throw error;
  }
  return kept;
}

/** One address a process and controller: test files run beside each other, and so may whole runs. */
function ownAddress(number: number): string {
  const id = process.pid * 4 + (number % 4);
  const above = Math.floor(id / 254);
  return `127.${64 + ((above >> 8) & 0x3f)}.${above & 0xff}.${1 + (id % 254)}`;
}

function smbConf({ folder, address }: { folder: string; address: string }): string {
  return `[global]
  netbios name = DC1
  realm = ${REALM}
  workgroup = AD
  server role = active directory domain controller
  server services = ldap
  interfaces = ${address}/8
  bind interfaces only = yes
  private dir = ${folder}/private
  state directory = ${folder}/state
  cache directory = ${folder}/cache
  lock directory = ${folder}
  pid directory = ${folder}/run
  ncalrpc dir = ${folder}/run/ncalrpc
  nbt client socket address = ${address}
  winbindd socket directory = ${folder}/run/winbindd
  ntp signd socket directory = ${folder}/run/ntp
  binddns dir = ${folder}/bind-dns
  log file = ${folder}/log/samba.log
  logging = file
  log level = 1
  ldap server require strong auth = allow_sasl_over_tls
  tls enabled = yes
  tls keyfile = ${folder}/tls/server.key
  tls certfile = ${folder}/tls/server.crt
  tls cafile = ${folder}/tls/ca.crt
  idmap_ldb:use rfc2307 = yes
  vfs objects = dfs_samba4 acl_xattr
  prefork children = 1
`;
}

async function makeCertificates({ folder, address }: { folder: string; address: string }): Promise<void> {
  await mkdir(folder, { recursive: true });
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = ["-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", "/CN=Made-up CA"];
  await openssl("req", "-x509", ...key, ...authority, "-addext", "keyUsage=critical,keyCertSign,cRLSign");
  await openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=dc1");
  await writeFile(path.join(folder, "server.ext"), `subjectAltName=DNS:dc1.ad.example.org,IP:${address}\nbasicConstraints=CA:FALSE\n`);
  const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", "server.ext", "-out", "server.crt"];
  await openssl("x509", "-req", "-in", "server.csr", ...signed);
}

/** In a process group of its own, since it forks. */
function launch(configuration: string): ChildProcess {
  return spawn("samba", ["--foreground", "--no-process-group", `--configfile=${configuration}`], { detached: true, stdio: "ignore" });
}

async function answers({ child, url, folder }: { child: ChildProcess; url: string; folder: string }): Promise<void> {
  let seen: unknown;
  for (let attempt = 0; attempt < 1200; attempt++) {
    if (child.exitCode !== null) throw new Error(`samba ended at once (exit code ${child.exitCode}): see ${folder}/log`);
    const client = new Client({ url, tlsOptions: { rejectUnauthorized: false }, connectTimeout: 1000, timeout: 5000 });
    try {
      await client.search("", { scope: "base", attributes: ["dsServiceName"] });
      return;
    } catch (error) {
      seen = error;
      await wait(50);
    } finally {
      await client.unbind();
    }
  }
  throw new Error("samba did not answer within its time", { cause: seen });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  kill(child, "SIGTERM");
  const late = setTimeout(() => kill(child, "SIGKILL"), 5000);
  await ended;
  clearTimeout(late);
  // What it forked must not outlive it.
  kill(child, "SIGKILL");
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
