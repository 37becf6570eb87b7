import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { createApp } from "../../src/app.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createQuirkLog } from "../../src/http/scim/dialects/quirk-log.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { keyRing } from "../http/scim/door.ts";

let db: TestDatabase;
let folder: string;
beforeAll(async () => {
  db = await testDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
  await inTransaction(db, testContext(), (work) =>
    addConnection(work, { definition: { name: "entra", connector: "scim-inbound", settings: { dialect: "entra" } }, keyRing }),
  );
});
afterAll(async () => {
  await db.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function rollcall(line: string): Promise<{ code: number; out: string; error: string }> {
  let out = "";
  let error = "";
  const code = await runCommandLine({
    arguments: line.split(" "),
    environment: { PATH: process.env["PATH"], HOME: folder, DATABASE_URL: db.url, ROLLCALL_DATA: folder },
    terminal: { write: (text) => void (out += text), writeError: (text) => void (error += text), watched: false },
    version: "1.2.3",
    startServer: () => Promise.reject(new Error("not here")),
  });
  return { code, out, error };
}

describe("SCIM clients on the command line", () => {
  test("G5: a token is made, rotated, listed and revoked", async () => {
    const made = await rollcall("token create --name entra --scope scim --connection entra");
    const rotated = await rollcall("token rotate entra --overlap 1h");
    expect([rotated.code, rotated.out]).toEqual([0, expect.stringMatching(/^rc_scim_[a-z0-9]{8}_\S{43}\n$/)]);
    expect(rotated.error).toContain("works until");
    const { out } = await rollcall("token list");
    expect(out.split("\n").filter((line) => /^entra +scim +entra .*live/.test(line))).toHaveLength(2);
    expect(out).not.toContain(made.out.trim());
    const prefix = made.out.split("_")[2];
    expect(await rollcall(`token revoke ${prefix} --reason leaked`)).toMatchObject({ code: 0 });
    expect(await rollcall(`token revoke ${prefix} --reason leaked`)).toMatchObject({ code: 2 });
    const listed = JSON.parse((await rollcall("token list --json")).out) as { prefix: string; state: string }[];
    expect(listed.find((line) => line.prefix === prefix)?.state).toBe("revoked");
  });

  test("G5: a client of the token endpoint is made, listed and revoked", async () => {
    const made = JSON.parse((await rollcall("client create --name app --connection entra --expires 365d --json")).out) as Record<
      string,
      string
    >;
    expect(made["clientSecret"]).toMatch(/^rcs_/);
    const { out } = await rollcall("client list");
    expect(out).toMatch(new RegExp(`app +${made["clientId"]} +entra +live`));
    expect(out).not.toContain(made["clientSecret"]);
    expect((await rollcall("client revoke app --reason over")).out).toContain("and 0 tokens");
    expect((await rollcall("client create --name x --connection nobody")).code).toBe(2);
  });

  test("B10: what was noticed of a client is told to the administrator, and to Prometheus", async () => {
    expect((await rollcall("connection quirks entra")).out).toContain("Nothing that departs from the RFCs");
    const quirks = createQuirkLog({ db, log: silentLog, now: () => new Date() });
    const app = createApp({ db, keyRing, config: { http: { bodyLimit: 10_000, trustProxy: false } }, log: silentLog, quirks });
    const token = (await rollcall("token create --name quirks --scope scim --connection entra")).out.trim();
    const post = (body: object) => supertest(app).post("/scim/entra/v2/Users").set("Authorization", `Bearer ${token}`).send(body);
    for (let times = 0; times < 3; times += 1)
      await post({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"], userName: `q${times}`, active: "False" });
    await quirks.flush();
    expect((await rollcall("connection quirks entra")).out).toMatch(/^Entra sent `active` as the string "False" 3 times, last \d{4}-/);
    expect((await rollcall("connection show entra")).out).toMatch(
      /^entra {2}scim-inbound {2}ready\n[^]*dialect +entra\n[^]*Departs from the RFCs\n {2}Entra sent `active`/,
    );
    expect(JSON.parse((await rollcall("connection show entra --json")).out)).toMatchObject({
      name: "entra",
      settings: { dialect: "entra" },
      quirks: [{ quirk: "boolean-text", attribute: "active", sample: '"False"', count: 3 }],
    });
    const { text } = await supertest(app).get("/metrics");
    expect(text).toContain('rollcall_scim_quirks{connection="entra",dialect="entra",quirk="boolean-text",attribute="active"} 3');
  });
});
