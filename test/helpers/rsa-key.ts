import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { projectFolder } from "../../src/db/folder.ts";

const KEPT = path.join(projectFolder(), "node_modules/.cache/rollcall-tests/keys");

/** An RSA key of 2048 bits by its name, made once on a machine: making one takes longer than most tests do. Two names are two keys. */
export function rsaKey(name: string): { privateKey: KeyObject; publicKey: KeyObject } {
  const kept = path.join(KEPT, `${name.replaceAll(/\W+/g, "-")}.pem`);
  if (!existsSync(kept)) makeKey(kept);
  const privateKey = createPrivateKey(readFileSync(kept, "utf8"));
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function makeKey(kept: string): void {
  mkdirSync(KEPT, { recursive: true });
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const written = `${kept}.${process.pid}`;
  writeFileSync(written, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  try {
    linkSync(written, kept);
  } catch (error) {
    // Another test file was sooner; its key is as good.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(written);
  }
}
