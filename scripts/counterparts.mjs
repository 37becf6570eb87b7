#!/usr/bin/env node
// Installs the real directories that tests, the demo and the benchmark run against: OpenLDAP, Samba as an Active Directory, OpenSSH, SimpleSAMLphp, and
// Chromium as the browser.
// Exit codes: 0 they are there, 3 one can't be installed here (the sentence says why and what to do), 1 apt-get failed.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const POLICY = "/usr/sbin/policy-rc.d";

const SLAPD = {
  title: "slapd (OpenLDAP)",
  purpose: "Installing OpenLDAP for tests and the demo",
  packages: ["slapd", "slapd-contrib", "ldap-utils", "openssl"],
  answers: "slapd slapd/no_configuration boolean true\n",
  installed: slapdInstalled,
};

const SAMBA = {
  title: "Samba (Active Directory domain controller)",
  purpose: "Installing Samba, the Active Directory of the tests",
  packages: [
    "samba-ad-dc",
    "samba",
    "samba-ad-provision",
    "samba-dsdb-modules",
    "samba-vfs-modules",
    "winbind",
    "python3-samba",
    "openssl",
  ],
  answers: "",
  installed: sambaInstalled,
};

const SSHD = {
  title: "sshd (OpenSSH server)",
  purpose: "Installing OpenSSH's server for tests of SFTP",
  packages: ["openssh-server", "openssh-sftp-server", "openssh-client"],
  answers: "",
  installed: sshdInstalled,
};

const SIMPLESAMLPHP = {
  title: "SimpleSAMLphp (SAML identity provider)",
  purpose: "Installing SimpleSAMLphp, the SAML identity provider of the tests",
  packages: ["simplesamlphp", "php-cli", "php-xml", "php-mbstring", "php-sqlite3", "php-curl", "php-ldap"],
  answers: "",
  installed: simpleSamlPhpInstalled,
};

const CHROMIUM = {
  title: "Chromium",
  purpose: "Installing Chromium, the browser in which tests sign in",
  packages: ["chromium-headless-shell"],
  answers: "",
  installed: chromiumInstalled,
};

/** Whether slapd, its overlays and openssl are here. */
export function slapdInstalled() {
  return existsSync("/usr/sbin/slapd") && existsSync("/etc/ldap/schema/inetorgperson.schema") && onPath("openssl");
}

/** Whether Samba is here with all that makes a domain controller of it. */
export function sambaInstalled() {
  return onPath("samba") && onPath("samba-tool") && existsSync("/usr/share/samba/setup") && onPath("openssl");
}

/** Whether OpenSSH's server is here, and ssh-keygen. */
export function sshdInstalled() {
  return existsSync("/usr/sbin/sshd") && onPath("ssh-keygen");
}

/** Whether SimpleSAMLphp is here, and a PHP to run it that can ask a directory. */
export function simpleSamlPhpInstalled() {
  const withLdap = () => spawnSync("php", ["-r", "exit(extension_loaded('ldap') ? 0 : 1);"]).status === 0;
  return existsSync("/usr/share/simplesamlphp/www") && onPath("php") && withLdap();
}

/** Whether Debian's Chromium is here, with its windows or without. Without them tests take less of the processor. */
export function chromiumInstalled() {
  return ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].some((each) => existsSync(each));
}

/**
 * Installs slapd where it is missing. False when that is not possible here; the reason was then said.
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {boolean}
 */
export function ensureSlapd(options = {}) {
  return install(SLAPD, options.say ?? saySo) === 0;
}

/**
 * The same for Samba.
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {boolean}
 */
export function ensureSamba(options = {}) {
  return install(SAMBA, options.say ?? saySo) === 0;
}

/**
 * And for OpenSSH's server.
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {boolean}
 */
export function ensureSshd(options = {}) {
  return install(SSHD, options.say ?? saySo) === 0;
}

/**
 * And for SimpleSAMLphp.
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {boolean}
 */
export function ensureSimpleSamlPhp(options = {}) {
  return install(SIMPLESAMLPHP, options.say ?? saySo) === 0;
}

/**
 * And for Chromium.
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {boolean}
 */
export function ensureChromium(options = {}) {
  return install(CHROMIUM, options.say ?? saySo) === 0;
}

function saySo(line) {
  process.stderr.write(`${line}\n`);
}

function install({ title, purpose, packages, answers, installed }, say) {
  if (installed()) return 0;
  const byHand = `Install it by hand (${packages.join(", ")}) and start again.`;
  if (!onPath("apt-get")) {
    say(`${title} is missing, and there is no apt-get here to install it. ${byHand}`);
    return 3;
  }
  if (process.getuid?.() !== 0) {
    say(`${title} is missing, and only root may install it: sudo node scripts/counterparts.mjs`);
    return 3;
  }
  say(`${purpose}: apt-get install ${packages.join(" ")} (the system's own services are not started)`);
  // Debian starts a service as soon as it is installed, unless this policy refuses.
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    if (answers !== "" && onPath("debconf-set-selections")) {
      execFileSync("debconf-set-selections", { input: answers, env: environment, stdio: ["pipe", "ignore", "ignore"] });
    }
    const apt = (...args) =>
      execFileSync("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=300", ...args], {
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
        maxBuffer: 1 << 26,
      });
    apt("update");
    apt("install", "--no-install-recommends", ...packages);
  } catch (error) {
    const lines = String(error.stderr ?? error.message)
      .trim()
      .split("\n");
    say(`apt-get could not install ${title}: ${lines.slice(-3).join(" ")} ${byHand}`);
    return 1;
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
  if (installed()) return 0;
  say(`apt-get ended well, but ${title} is not there. ${byHand}`);
  return 1;
}

function onPath(command) {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.some((folder) => folder !== "" && existsSync(join(folder, command)));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const codes = [SLAPD, SAMBA, SSHD, SIMPLESAMLPHP, CHROMIUM].map((counterpart) => install(counterpart, saySo));
  process.exitCode = codes.find((code) => code !== 0) ?? 0;
  if (codes[0] === 0) {
    const version = spawnSync("/usr/sbin/slapd", ["-VV"], { encoding: "utf8" }).stderr.split("\n")[0] ?? "";
    saySo(
      `slapd is here: ${version
        .replace(/^@\(#\) \$/, "")
        .replace(/\$$/, "")
        .trim()}`,
    );
  }
  if (codes[1] === 0) saySo(`Samba is here: ${spawnSync("samba", ["--version"], { encoding: "utf8" }).stdout.trim()}`);
}
