import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { APPLICATION, configuration, ini } from "./configuration.ts";

/** LemonLDAP::NG's portal on loopback: a SAML identity provider on another library (Lasso, libxmlsec) than the others of the tests. */
export interface LemonLdap {
  stop(): Promise<void>;
}

export interface LemonLdapOptions {
  keys: { privateKey: string; certificate: string };
  /** Metadata of the service provider that it knows. */
  serviceProvider: string;
}

const PERL = "/usr/share/perl5";
const NEEDED = ["/usr/bin/plackup", `${PERL}/Lemonldap/NG/Portal/Main.pm`, `${PERL}/XML/Simple.pm`];

/** What Debian calls that which it needs; `npm test` installs none of it. */
export const LEMONLDAP_PACKAGES = "liblemonldap-ng-portal-perl liblasso-perl libxml-simple-perl libplack-perl libmime-tools-perl";

export function lemonLdapInstalled(): boolean {
  return NEEDED.every((file) => existsSync(file)) && existsSync("/usr/share/doc/liblasso-perl");
}

/** Where its metadata are, at a port that was chosen. */
export function lemonLdapMetadata(port: number): string {
  return `http://127.0.0.1:${port}/saml/metadata`;
}

/** Starts it and waits until it answers. */
export async function startLemonLdap({ port, ...options }: LemonLdapOptions & { port: number }): Promise<LemonLdap> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "rollcall-lemonldap-"));
  for (const name of ["conf", "sessions/lock", "persistent/lock"]) await mkdir(path.join(folder, name), { recursive: true });
  const url = `http://127.0.0.1:${port}`;
  await writeFile(path.join(folder, "conf/lmConf-1.json"), configuration({ ...options, folder, url }));
  await writeFile(path.join(folder, "lemonldap-ng.ini"), ini(folder));
  await writeFile(path.join(folder, "portal.psgi"), APPLICATION);
  const child = spawn("plackup", ["--listen", `127.0.0.1:${port}`, path.join(folder, "portal.psgi")], {
    env: { ...process.env, LLNG_DEFAULTCONFFILE: path.join(folder, "lemonldap-ng.ini") },
    stdio: "ignore",
  });
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 600; tries += 1) {
    if (child.exitCode !== null) throw new Error(`LemonLDAP::NG ended with ${child.exitCode} before it answered`);
    // Until it listens, the connection is refused.
    const answer = await fetch(lemonLdapMetadata(port)).catch(() => undefined);
    if (answer?.ok) return { stop };
    await wait(100);
  }
  await stop();
  throw new Error("LemonLDAP::NG did not answer");
}
