import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { freePort } from "../../src/db/free-port.ts";

/** A real OpenSSH server on loopback, for one user with one key. */
export interface SshServer {
  port: number;
  user: string;
  privateKey: string;
  /** The same key, locked. */
  lockedKey(passphrase: string): string;
  /** Its host key, as `ssh-keygen -l` shows it. */
  fingerprint: string;
  stop(): Promise<void>;
}

export interface SshServerOptions {
  /** SFTP requests that it refuses with "permission denied", as sftp-server(8) names them. */
  refuses?: readonly string[];
}

export async function startSshServer({ refuses = [] }: SshServerOptions = {}): Promise<SshServer> {
  if (!existsSync("/usr/sbin/sshd")) throw new Error("sshd is missing: node scripts/counterparts.mjs installs it");
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-sshd-"));
  const key = (name: string, passphrase = "") => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-f", path.join(folder, name)]);
    return path.join(folder, name);
  };
  const hostKey = key("host");
  const userKey = key("user");
  copyFileSync(`${userKey}.pub`, path.join(folder, "authorized"));
  const config = path.join(folder, "config");
  const configured = (port: number) =>
    [
      "ListenAddress 127.0.0.1",
      `Port ${port}`,
      `HostKey ${hostKey}`,
      "PidFile none",
      "UsePAM no",
      "StrictModes no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      `AuthorizedKeysFile ${path.join(folder, "authorized")}`,
      `Subsystem sftp internal-sftp${refuses.length > 0 ? ` -P ${refuses.join(",")}` : ""}`,
    ].join("\n");
  // Where sshd runs as root it keeps the part that speaks before signing in here.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const { sshd, port } = await onFreePort((given) => {
    writeFileSync(config, configured(given));
    return spawn("/usr/sbin/sshd", ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
  });
  const [, fingerprint = ""] = /(SHA256:\S+)/.exec(execFileSync("ssh-keygen", ["-l", "-f", `${hostKey}.pub`], { encoding: "utf8" })) ?? [];
  return {
    port,
    user: os.userInfo().username,
    privateKey: readFileSync(userKey, "utf8"),
    fingerprint,
    lockedKey(passphrase) {
      const locked = path.join(folder, "locked");
      copyFileSync(userKey, locked);
      execFileSync("ssh-keygen", ["-q", "-p", "-P", "", "-N", passphrase, "-f", locked]);
      return readFileSync(locked, "utf8");
    },
    async stop() {
      sshd.stderr?.destroy();
      sshd.kill();
      await new Promise((ended) => (sshd.exitCode === null && sshd.signalCode === null ? sshd.once("exit", ended) : ended(null)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function onFreePort(start: (port: number) => ChildProcess): Promise<{ sshd: ChildProcess; port: number }> {
  for (;;) {
    const port = await freePort();
    const sshd = await listening(start(port));
    if (sshd) return { sshd, port };
  }
}

/** Undefined when somebody else was given the port meanwhile. */
function listening(server: ChildProcess): Promise<ChildProcess | undefined> {
  return new Promise((resolve, reject) => {
    let said = "";
    server.stderr?.on("data", (data: Buffer) => {
      said += data.toString("utf8");
      if (said.includes("Server listening")) resolve(server);
    });
    server.once("close", () => (said.includes("Address already in use") ? resolve(undefined) : reject(new Error(`sshd ended: ${said}`))));
  });
}

/** What happens on the way from the server to us, once so many bytes have passed. */
export interface Mishap {
  after: number;
  /** `cut` ends the connection, `stall` lets nothing more through; a function is called and all goes on. */
  happens: "cut" | "stall" | (() => void);
}

/** Stands between client and server, and lets one mishap happen on each connection. */
export interface Relay {
  port: number;
  mishap: Mishap | undefined;
  close(): Promise<void>;
}

export async function startRelay(to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const relay: { mishap: Mishap | undefined } = { mishap: undefined };
  const server: Server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    const { mishap } = relay;
    let passed = 0;
    let happened = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.on("data", (data: Buffer) => {
      passed += data.length;
      if (mishap && passed >= mishap.after) {
        if (mishap.happens === "cut") return void near.destroy();
        if (mishap.happens === "stall") return;
        if (!happened) mishap.happens();
        happened = true;
      }
      near.write(data);
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return Object.assign(relay, {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((closed) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => closed());
      }),
  });
}
