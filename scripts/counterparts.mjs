#!/usr/bin/env node
// Installs the real LDAP server that tests, the demo and the benchmark run against.
// Exit codes: 0 it is there, 3 it can't be installed here (the sentence says why and what to do), 1 apt-get failed.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = ["slapd", "slapd-contrib", "ldap-utils", "openssl"];
const POLICY = "/usr/sbin/policy-rc.d";

/** Whether slapd, its overlays and openssl are here. */
export function slapdInstalled() {
  return existsSync("/usr/sbin/slapd") && existsSync("/etc/ldap/schema/inetorgperson.schema") && onPath("openssl");
}

/**
 * Installs slapd where it is missing. False when that is not possible here; the reason was then said.
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {boolean}
 */
export function ensureSlapd(options = {}) {
  return install(options.say ?? ((line) => process.stderr.write(`${line}\n`))) === 0;
}

function install(say) {
  if (slapdInstalled()) return 0;
  const byHand = `Install it by hand (${PACKAGES.join(", ")}) and start again.`;
  if (!onPath("apt-get")) {
    say(`slapd (OpenLDAP) is missing, and there is no apt-get here to install it. ${byHand}`);
    return 3;
  }
  if (process.getuid?.() !== 0) {
    say(`slapd (OpenLDAP) is missing, and only root may install it: sudo node scripts/counterparts.mjs`);
    return 3;
  }
  say(`Installing OpenLDAP for tests and the demo: apt-get install ${PACKAGES.join(" ")} (the system's own slapd service is not started)`);
  // Debian starts a service as soon as it is installed, unless this policy refuses.
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    if (onPath("debconf-set-selections")) {
      execFileSync("debconf-set-selections", {
        input: "slapd slapd/no_configuration boolean true\n",
        env: environment,
        stdio: ["pipe", "ignore", "ignore"],
      });
    }
    const apt = (...args) =>
      execFileSync("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=300", ...args], {
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
      });
    apt("update");
    apt("install", "--no-install-recommends", ...PACKAGES);
  } catch (error) {
    const lines = String(error.stderr ?? error.message)
      .trim()
      .split("\n");
    say(`apt-get could not install slapd: ${lines.slice(-3).join(" ")} ${byHand}`);
    return 1;
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
  if (slapdInstalled()) return 0;
  say(`apt-get ended well, but /usr/sbin/slapd is not there. ${byHand}`);
  return 1;
}

function onPath(command) {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.some((folder) => folder !== "" && existsSync(join(folder, command)));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const say = (line) => process.stderr.write(`${line}\n`);
  process.exitCode = install(say);
  if (process.exitCode === 0) {
    const version = spawnSync("/usr/sbin/slapd", ["-VV"], { encoding: "utf8" }).stderr.split("\n")[0] ?? "";
    say(
      `slapd is here: ${version
        .replace(/^@\(#\) \$/, "")
        .replace(/\$$/, "")
        .trim()}`,
    );
  }
}
