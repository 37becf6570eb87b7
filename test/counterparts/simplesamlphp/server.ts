import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { freePort } from "../../../src/db/free-port.ts";
import { authSources, configuration, hostedProvider, remoteProvider, router, type Binding, type ServiceProvider } from "./configuration.ts";

const INSTALLED = "/usr/share/simplesamlphp/www";

/** A real SAML identity provider on loopback. */
export interface SimpleSamlPhp {
  /** http://127.0.0.1:PORT/simplesaml */
  url: string;
  metadataUrl: string;
  /** The service provider that it knows; can be told again. */
  knows(provider: ServiceProvider): Promise<void>;
  /** The binding of its addresses, as its metadata name them. */
  speaks(binding: Binding): Promise<void>;
  stop(): Promise<void>;
}

export interface SimpleSamlPhpOptions {
  keys: { privateKey: string; certificate: string };
  /** A directory whose people it knows, with their passwords there; `%username%` stands in the pattern. */
  directory?: { url: string; dnPattern: string };
  /** Otherwise: user and password to attributes. */
  users?: Readonly<Record<string, { password: string; attributes: Readonly<Record<string, readonly string[]>> }>>;
}

/** Whether it is here with PHP. */
export function simpleSamlPhpInstalled(): boolean {
  return existsSync(INSTALLED) && ["/usr/bin/php", "/usr/local/bin/php"].some((file) => existsSync(file));
}

/** Starts SimpleSAMLphp under PHP's own server and waits until it answers. Throws a sentence when it is not installed. */
export async function startSimpleSamlPhp({ keys, directory, users }: SimpleSamlPhpOptions): Promise<SimpleSamlPhp> {
  if (!simpleSamlPhpInstalled()) throw new Error("SimpleSAMLphp is not installed: node scripts/counterparts.mjs installs it");
  const folder = await mkdtemp(path.join(os.tmpdir(), "rollcall-simplesamlphp-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/simplesaml`;
  for (const name of ["config/metadata", "log", "data", "tmp", "cert", "sessions", "www"])
    await mkdir(path.join(folder, name), { recursive: true });
  const write = (name: string, text: string) => writeFile(path.join(folder, name), text);
  await write("cert/idp.key", keys.privateKey);
  await write("cert/idp.pem", keys.certificate);
  await write("config/config.php", configuration({ folder, url }));
  await write("config/authsources.php", authSources({ ...(directory ? { directory } : {}), ...(users ? { users } : {}) }));
  await write("config/metadata/saml20-idp-hosted.php", hostedProvider(`http://127.0.0.1:${port}/idp`));
  await write("config/metadata/saml20-sp-remote.php", "<?php\n$metadata = [];\n");
  await write("router.php", router(INSTALLED));
  await symlink(INSTALLED, path.join(folder, "www/simplesaml"));
  const child = spawn(
    "php",
    [
      ...settings({
        "session.save_path": `${folder}/sessions`,
        error_log: `${folder}/log/php.log`,
        display_errors: "0",
        "opcache.enable": "0",
      }),
      ...["-S", `127.0.0.1:${port}`, "-t", `${folder}/www`, `${folder}/router.php`],
    ],
    { env: { ...process.env, SIMPLESAMLPHP_CONFIG_DIR: `${folder}/config` }, stdio: "ignore" },
  );
  const metadataUrl = `${url}/saml2/idp/metadata.php`;
  await answering(metadataUrl, child);
  return {
    url,
    metadataUrl,
    speaks: (binding) => write("config/metadata/saml20-idp-hosted.php", hostedProvider(`http://127.0.0.1:${port}/idp`, { binding })),
    knows: (provider) => write("config/metadata/saml20-sp-remote.php", remoteProvider(provider)),
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function settings(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["-d", `${name}=${value}`]);
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`PHP's server ended with ${child.exitCode} before it answered`);
    // Until it listens, the connection is refused.
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await wait(50);
  }
  throw new Error("SimpleSAMLphp did not answer");
}
