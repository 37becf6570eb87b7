import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "ldapts";
import { freePort } from "../src/db/free-port.ts";

/** A real OpenLDAP for tests, the demo and the benchmark, on loopback. */
export interface Slapd {
  /** ldap://127.0.0.1:PORT, StartTLS offered. */
  url: string;
  /** ldaps://127.0.0.1:PORT; the certificate names localhost and 127.0.0.1. */
  tlsUrl: string;
  /** The CA that signed the server's certificate, PEM. */
  caFile: string;
  baseDn: string;
  /** The account that a sync uses: it may read and write all, and must page (at most 1,000 entries a page). */
  bindDn: string;
  bindPassword: string;
  /** May read only, and has the server's size limit of 500 even when it pages. */
  readerDn: string;
  readerPassword: string;
  /** No limits at all. */
  adminDn: string;
  adminPassword: string;
  folder: string;
  stop(): Promise<void>;
}

export interface SlapdOptions {
  /** Where its data go, kept when it stops; a folder of its own that goes with it when absent. A folder that has data is started as it is. */
  folder?: string;
  /** Entries to load: a file, or the text itself. The suffix, ou=people, ou=groups, ou=units and ou=svc are there already. */
  ldif?: string | { text: string };
  suffix?: string;
  /** Whether a default password policy applies: without one, pwdAccountLockedTime locks nobody. */
  passwordPolicy?: boolean;
  port?: number;
  tlsPort?: number;
}

const SLAPD = "/usr/sbin/slapd";
const run = promisify(execFile);

/** Starts slapd and waits until it answers. Throws a sentence when it is not installed (scripts/counterparts.mjs installs it). */
export async function startSlapd(options: SlapdOptions = {}): Promise<Slapd> {
  if (!existsSync(SLAPD)) throw new Error("slapd (OpenLDAP) is not installed: node scripts/counterparts.mjs installs it");
  const folder = options.folder ?? (await mkdtemp(path.join(os.tmpdir(), "rollcall-slapd-")));
  const suffix = options.suffix ?? "dc=example,dc=org";
  const fresh = !existsSync(path.join(folder, "db", "data.mdb"));
  for (const name of ["db", "accesslog", "tls"]) await mkdir(path.join(folder, name), { recursive: true });
  await makeCertificates(path.join(folder, "tls"));
  const configuration = path.join(folder, "slapd.conf");
  await writeFile(configuration, slapdConf({ folder, suffix, passwordPolicy: options.passwordPolicy ?? true }));
  if (fresh) await load({ folder, configuration, suffix, ldif: options.ldif });

  const port = options.port ?? (await freePort());
  const tlsPort = options.tlsPort ?? (await freePort());
  const url = `ldap://127.0.0.1:${port}`;
  const tlsUrl = `ldaps://127.0.0.1:${tlsPort}`;
  // slapd sizes its tables by the limit of open files, which can be a thousand million in a container.
  const child = spawn("sh", ["-c", `ulimit -n 4096; exec ${SLAPD} -d 0 -f "$0" -h "$1"`, configuration, `${url}/ ${tlsUrl}/`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const endWithUs = () => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const stop = async () => {
    process.removeListener("exit", endWithUs);
    await end(child);
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    await answers({ child, url });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    tlsUrl,
    caFile: path.join(folder, "tls", "ca.crt"),
    baseDn: suffix,
    bindDn: `cn=sync,ou=svc,${suffix}`,
    bindPassword: "sync-password",
    readerDn: `cn=reader,ou=svc,${suffix}`,
    readerPassword: "reader-password",
    adminDn: `cn=admin,${suffix}`,
    adminPassword: "admin-password",
    folder,
    stop,
  };
}

async function load(options: { folder: string; configuration: string; suffix: string; ldif: SlapdOptions["ldif"] }): Promise<void> {
  const base = path.join(options.folder, "base.ldif");
  await writeFile(base, baseLdif(options.suffix));
  const files = [base];
  if (typeof options.ldif === "string") files.push(options.ldif);
  else if (options.ldif) {
    const file = path.join(options.folder, "entries.ldif");
    await writeFile(file, options.ldif.text);
    files.push(file);
  }
  for (const file of files) {
    await run("/usr/sbin/slapadd", ["-q", "-f", options.configuration, "-b", options.suffix, "-l", file], { maxBuffer: 1 << 24 });
  }
}

function baseLdif(suffix: string): string {
  const name = suffix.split(",")[0]?.split("=")[1] ?? "example";
  const units = ["people", "groups", "units", "svc"].map((ou) => `dn: ou=${ou},${suffix}\nobjectClass: organizationalUnit\nou: ${ou}\n`);
  const account = (cn: string) =>
    `dn: cn=${cn},ou=svc,${suffix}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: ${cn}\nuserPassword: ${cn}-password\n`;
  return [
    `dn: ${suffix}\nobjectClass: top\nobjectClass: dcObject\nobjectClass: organization\no: ${name}\ndc: ${name}\n`,
    ...units,
    account("sync"),
    account("reader"),
    `dn: cn=ppolicy,ou=svc,${suffix}\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\ncn: ppolicy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 0\n`,
  ].join("\n");
}

function slapdConf(options: { folder: string; suffix: string; passwordPolicy: boolean }): string {
  const { folder, suffix } = options;
  const sync = `cn=sync,ou=svc,${suffix}`;
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload syncprov
moduleload accesslog
moduleload ppolicy
TLSCACertificateFile ${folder}/tls/ca.crt
TLSCertificateFile ${folder}/tls/server.crt
TLSCertificateKeyFile ${folder}/tls/server.key
TLSVerifyClient never
TLSProtocolMin 3.3
serverID 1
threads 4
sizelimit 500
loglevel none

database mdb
suffix cn=accesslog
directory ${folder}/accesslog
maxsize 2147483648
dbnosync
rootdn cn=accesslog
index default eq
index entryCSN,objectClass,reqEnd,reqResult,reqStart,reqDN
overlay syncprov
syncprov-nopresent TRUE
syncprov-reloadhint TRUE
limits dn.exact="${sync}" size=unlimited time=unlimited
access to * by dn.exact="${sync}" read by * none

database mdb
suffix ${suffix}
rootdn cn=admin,${suffix}
rootpw admin-password
directory ${folder}/db
maxsize 8589934592
dbnosync
index objectClass,entryCSN,entryUUID,modifyTimestamp eq
index uid,mail,cn,employeeNumber eq
index member,memberOf,manager eq
limits dn.exact="${sync}" size.soft=500 size.hard=soft size.pr=1000 size.prtotal=unlimited time=unlimited
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
memberof-dangling ignore
memberof-refint TRUE
overlay refint
refint_attributes member uniqueMember manager secretary
refint_nothing cn=nobody,${suffix}
overlay ppolicy
${options.passwordPolicy ? `ppolicy_default cn=ppolicy,ou=svc,${suffix}` : ""}
overlay syncprov
syncprov-checkpoint 100 10
syncprov-sessionlog 100000
overlay accesslog
logdb cn=accesslog
logops writes
logsuccess TRUE
logold (objectClass=inetOrgPerson)
logpurge 07+00:00 01+00:00
access to attrs=userPassword by dn.exact="${sync}" write by anonymous auth by self write by * none
access to * by dn.exact="${sync}" write by users read by * none
`;
}

/** A CA of its own and a server certificate for localhost and 127.0.0.1; kept when they are there. */
async function makeCertificates(folder: string): Promise<void> {
  if (existsSync(path.join(folder, "server.crt"))) return;
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "3650",
    "-subj",
    "/CN=Made-up CA",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
  );
  await openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  await writeFile(
    path.join(folder, "server.ext"),
    "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
  );
  await openssl(
    "x509",
    "-req",
    "-in",
    "server.csr",
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "3650",
    "-extfile",
    "server.ext",
    "-out",
    "server.crt",
  );
}

async function answers(options: { child: ChildProcess; url: string }): Promise<void> {
  let said = "";
  options.child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  let seen: unknown;
  for (let attempt = 0; attempt < 2400; attempt++) {
    if (options.child.exitCode !== null) throw new Error(`slapd ended at once: ${said.trim() || `exit code ${options.child.exitCode}`}`);
    const client = new Client({ url: options.url, connectTimeout: 1000, timeout: 5000 });
    try {
      await client.search("", { scope: "base", attributes: ["namingContexts"] });
      return;
    } catch (error) {
      seen = error;
      await wait(25);
    } finally {
      await client.unbind();
    }
  }
  throw new Error("slapd did not answer within its time", { cause: seen });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(late);
}
