import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { addConnection } from "../../../../src/connections/store.ts";
import { inTransaction } from "../../../../src/db/database.ts";
import { testContext } from "../../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "../door.ts";

/** Real certificates, made by OpenSSL. */
function certificates(count: number): X509Certificate[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), "certificates-"));
  try {
    return Array.from({ length: count }, (_, at) => {
      const file = path.join(folder, `${at}.pem`);
      const options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
      execFileSync("openssl", [...options, "-subj", `/CN=client-${at}`, "-keyout", path.join(folder, "key.pem"), "-out", file], {
        stdio: "ignore",
      });
      return new X509Certificate(readFileSync(file));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [mine, others] = certificates(2) as [X509Certificate, X509Certificate];
const rfc9440 = ({ raw }: X509Certificate) => ({ "Client-Cert": `:${raw.toString("base64")}:` });
let clock = new Date();

let door: Door;
beforeAll(async () => {
  door = await openDoor({
    now: () => clock,
    http: { trustProxy: "loopback", clientCertificate: { header: "client-cert", format: "rfc9440" } },
  });
});
afterAll(() => door.close());

const connect = async (name: string, settings: object) => {
  const { id: connectionId } = await inTransaction(door.db, testContext(), (work) =>
    addConnection(work, { definition: { name, connector: "scim-inbound", settings }, keyRing }),
  );
  return (await door.newToken({ name, connectionId })).token;
};
const status = async (name: string, options: { token: string | null; headers?: Record<string, string> }, at = door) =>
  (await at.request("GET", `/scim/${name}/v2/Users`, options)).status;

describe("G5: client certificates that a trusted proxy passes on", () => {
  test("G5: beside a token, the right one is needed", async () => {
    const token = await connect("both", { certificates: { sha256: [mine.fingerprint256] } });
    expect(await status("both", { token })).toBe(401);
    expect(await status("both", { token, headers: rfc9440(others) })).toBe(401);
    expect(await status("both", { token, headers: { "Client-Cert": "nonsense" } })).toBe(401);
    expect(await status("both", { token: null, headers: rfc9440(mine) })).toBe(401);
    expect(await status("both", { token, headers: rfc9440(mine) })).toBe(200);
  });

  test("G5: alone, it is enough where the connection says so, at its own door and the common one", async () => {
    const sha256 = [mine.fingerprint256.replaceAll(":", "").toLowerCase()];
    const token = await connect("alone", { certificates: { sha256, use: "alone" } });
    expect(await status("alone", { token: null, headers: rfc9440(mine) })).toBe(200);
    expect((await door.request("GET", "/Users", { token: null, headers: rfc9440(mine) })).status).toBe(200);
    expect(await status("alone", { token })).toBe(200);
    expect(await status("alone", { token: null, headers: rfc9440(others) })).toBe(401);
    expect(await status("both", { token: null, headers: rfc9440(mine) })).toBe(401);
    const before = clock;
    clock = new Date(clock.getTime() + 31 * 24 * 3600_000);
    expect(await status("alone", { token: null, headers: rfc9440(mine) })).toBe(401);
    clock = before;
  });

  test("G5: the header of somebody who is no trusted proxy is not believed", async () => {
    const open = await openDoor({ http: { trustProxy: false, clientCertificate: { header: "client-cert", format: "rfc9440" } } });
    try {
      await inTransaction(open.db, testContext(), (work) =>
        addConnection(work, {
          definition: {
            name: "alone",
            connector: "scim-inbound",
            settings: { certificates: { sha256: [mine.fingerprint256], use: "alone" } },
          },
          keyRing,
        }),
      );
      expect(await status("alone", { token: null, headers: rfc9440(mine) }, open)).toBe(401);
    } finally {
      await open.close();
    }
  });

  test.each([
    ["pem", (certificate: X509Certificate) => encodeURIComponent(certificate.toString())],
    ["sha256", (certificate: X509Certificate) => certificate.fingerprint256],
  ] as const)("G5: passed on as %s", async (format, value) => {
    const other = await openDoor({ http: { trustProxy: true, clientCertificate: { header: "x-client", format } } });
    try {
      await inTransaction(other.db, testContext(), (work) =>
        addConnection(work, {
          definition: {
            name: "alone",
            connector: "scim-inbound",
            settings: { certificates: { sha256: [mine.fingerprint256], use: "alone" } },
          },
          keyRing,
        }),
      );
      expect(await status("alone", { token: null, headers: { "X-Client": value(mine) } }, other)).toBe(200);
      expect(await status("alone", { token: null, headers: { "X-Client": value(others) } }, other)).toBe(401);
      // The client's own line, which the proxy left in front of its own.
      const both = `${value(mine)}, ${value(others)}`;
      expect(await status("alone", { token: null, headers: { "X-Client": both } }, other)).toBe(401);
    } finally {
      await other.close();
    }
  });
});
