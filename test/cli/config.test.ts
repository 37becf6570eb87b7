import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import express from "express";
import { keyFile, loadKeyRing, readConfig } from "../../src/config.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { AppError } from "../../src/errors.ts";

describe("configuration", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-config-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function refusal(environment: Record<string, string>, files: Record<string, string> = {}): AppError {
    const own = mkdtempSync(path.join(folder, "case-"));
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(own, name), text);
    try {
      readConfig({ environment, folder: own });
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
    throw new Error("the configuration was taken");
  }

  test("the shipped one is good, and is what holds without any file", () => {
    const shipped = readConfig({ environment: {} });
    expect(shipped).toEqual(readConfig({ environment: {}, folder: path.join(folder, "none") }));
    expect(shipped).toMatchObject({ host: "127.0.0.1", port: 8080, data: path.join(projectFolder(), "data"), logLevel: "info" });
  });

  test("the data folder is the same one in whichever folder a command is typed", () => {
    const here = process.cwd();
    try {
      process.chdir(folder);
      expect(readConfig({ environment: {} }).data).toBe(path.join(projectFolder(), "data"));
      expect(readConfig({ environment: { ROLLCALL_DATA: "../elsewhere" } }).data).toBe(path.join(projectFolder(), "../elsewhere"));
      expect(readConfig({ environment: { ROLLCALL_DATA: folder } }).data).toBe(folder);
    } finally {
      process.chdir(here);
    }
  });

  test("every problem is named at once, with the place that it comes from", () => {
    const error = refusal(
      { PORT: "eighty", LOG_LEVEL: "loud", DATABASE_URL: "mysql://localhost", ROLLCALL_KEY: "short" },
      { "local.yaml": "roles: [judge]\nworker: { concurrency: 0 }\ncolour: blue\n" },
    );
    expect(error.code).toBe("misconfigured");
    expect(error.problems.map(({ field }) => field)).toEqual(
      expect.arrayContaining([
        "PORT",
        "LOG_LEVEL",
        "DATABASE_URL",
        "ROLLCALL_KEY",
        "config/local.yaml: roles.0",
        "config/local.yaml: worker.concurrency",
      ]),
    );
    expect(error.message).toContain("  PORT: must be a whole number from 0 to 65535\n");
    expect(error.message).toContain("colour");
    for (const { field, message } of error.problems) expect(error.message).toContain(`  ${field}: ${message}`);
  });

  test("invariant 8: a bad key is not repeated", () => {
    expect(refusal({ ROLLCALL_KEY: "almost-a-secret", DATABASE_URL: "postgresql//user:hunter2@host/db" }).message).not.toMatch(
      /almost-a-secret|hunter2/,
    );
  });

  test("a file that is no YAML is named with its line", () => {
    expect(refusal({}, { "default.yaml": "port: [1\nhost: x" }).message).toMatch(/config\/default\.yaml: .*line \d/);
  });

  test("what may be reached: lists and a proxy from the environment, beside what the files say", () => {
    const own = mkdtempSync(path.join(folder, "outbound-"));
    writeFileSync(path.join(own, "local.yaml"), "outbound: { direct: [corp.test] }");
    const environment = { ROLLCALL_OUTBOUND_ALLOW: "10.20.0.0/16, fd00::/8", HTTPS_PROXY: "http://proxy.test:3128" };
    expect(readConfig({ environment, folder: own }).outbound).toEqual({
      allow: ["10.20.0.0/16", "fd00::/8"],
      proxy: "http://proxy.test:3128",
      direct: ["corp.test"],
    });
    expect(readConfig({ environment: {}, folder: path.join(folder, "none") }).outbound).toEqual({ allow: [], direct: [] });
    const refused = refusal({ ROLLCALL_OUTBOUND_ALLOW: "10.20.0.0", HTTPS_PROXY: "socks5://us:hunter2@proxy.test" });
    expect(refused.problems.map(({ field }) => field)).toEqual(["ROLLCALL_OUTBOUND_ALLOW", "HTTPS_PROXY"]);
    expect(refused.message).not.toContain("hunter2");
  });

  test("which proxies are believed is read when the configuration is, and a certificate's header asks for one", () => {
    const http = (settings: string) => ({ "local.yaml": `http: { ${settings} }` });
    for (const proxies of ["proxy.test", "10.0.0.0/99", "0.0.0.0/0", "''", "'true'", "-1", "1.5", "[127.0.0.1]", "'127.0.0.1,,::1'"]) {
      const error = refusal({}, http(`trustProxy: ${proxies}`));
      expect(error.problems).toEqual([{ field: "config/local.yaml: http.trustProxy", message: expect.stringContaining("proxies") }]);
    }
    for (const proxies of ["true", "2", "loopback", "'127.0.0.1, 10.0.0.0/8, 192.168.0.0/255.255.0.0, ::1, fd00::/8, uniquelocal'"]) {
      const own = mkdtempSync(path.join(folder, "proxies-"));
      writeFileSync(path.join(own, "local.yaml"), http(`trustProxy: ${proxies}, clientCertificate: { header: Client-Cert }`)["local.yaml"]);
      const app = express();
      expect(() => app.set("trust proxy", readConfig({ environment: {}, folder: own }).http.trustProxy)).not.toThrow();
    }
    const alone = refusal({}, http("clientCertificate: { header: Client-Cert }"));
    expect(alone.problems).toEqual([
      { field: "config/local.yaml: http.clientCertificate", message: expect.stringContaining("trustProxy") },
    ]);
  });

  test("the environment wins over local.yaml, which wins over default.yaml", () => {
    const own = mkdtempSync(path.join(folder, "order-"));
    writeFileSync(path.join(own, "default.yaml"), "port: 1\nhost: a\nlogLevel: warn\n");
    writeFileSync(path.join(own, "local.yaml"), "port: 2\nhost: b\n");
    expect(readConfig({ environment: { PORT: "3" }, folder: own })).toMatchObject({ port: 3, host: "b", logLevel: "warn" });
  });

  test("a key file is made once, for its owner alone", () => {
    const config = readConfig({ environment: { ROLLCALL_DATA: path.join(folder, "fresh") } });
    const first = loadKeyRing(config).current.id;
    expect(loadKeyRing(config).current.id).toBe(first);
    expect(statSync(keyFile(config)).mode & 0o777).toBe(0o600);
    writeFileSync(keyFile(config), "not a key\n");
    expect(() => loadKeyRing(config)).toThrow(/must be 32 bytes/);
  });

  test("a data folder that can't be made or written to is named with its setting", async () => {
    const data = path.join(folder, "a file");
    writeFileSync(data, "");
    const refused = {
      code: "misconfigured",
      field: "ROLLCALL_DATA",
      message: expect.stringContaining(`The data folder ${data} can't be made`),
    };
    expect(() => loadKeyRing(readConfig({ environment: { ROLLCALL_DATA: data } }))).toThrow(expect.objectContaining(refused));
    await expect(startEmbeddedPostgres({ folder: data })).rejects.toMatchObject(refused);
  });
});
