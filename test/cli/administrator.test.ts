import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { createApp } from "../../src/app.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { keyRing } from "../http/scim/door.ts";

let db: TestDatabase;
let folder: string;
beforeAll(async () => {
  db = await testDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
});
afterAll(async () => {
  await db.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function rollcall(...line: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = "";
  let error = "";
  const code = await runCommandLine({
    arguments: line,
    environment: { PATH: process.env["PATH"], HOME: folder, DATABASE_URL: db.url, ROLLCALL_DATA: folder },
    terminal: { write: (text) => void (out += text), writeError: (text) => void (error += text), watched: false },
    version: "1.2.3",
    startServer: () => Promise.reject(new Error("not here")),
  });
  return { code, out, error };
}

describe("the first administrator", () => {
  test("A4, G5: on an empty system one command makes organisation, person and grant, the next a token that works", async () => {
    expect((await rollcall("administrator", "add", "ada@example.com")).error).toContain("--organisation NAME");
    const first = await rollcall("administrator", "add", "ada@example.com", "--organisation", "Acme Ltd");
    expect([first.code, first.error]).toEqual([0, ""]);
    expect(first.out).toMatch(
      /^Made the organisation Acme Ltd .*\nMade ada@example.com .*\nada@example.com is an administrator of Acme Ltd now\./,
    );
    const made = await rollcall("token", "create", "--name", "laptop", "--scope", "api", "--person", "ada@example.com", "--expires", "30d");
    expect(made.out).toMatch(/^rc_api_\S+\n$/);
    const config = { http: { bodyLimit: 1024 * 1024, trustProxy: false }, outbound: { allow: [...loopback.allow], direct: [] } };
    const app = createApp({ db, keyRing, config, log: silentLog, now: () => new Date() });
    const [header, bearer] = ["Authorization", `Bearer ${made.out.trim()}`];
    const tree = await supertest(app).get("/api/v1/units/tree").set(header, bearer);
    const created = await supertest(app)
      .post("/api/v1/units")
      .set(header, bearer)
      .send({ name: "Sales", code: "SALES", parentId: tree.body.units[0].id });
    expect(created.status).toBe(201);
  });

  test("A4: repeated it changes nothing; another on one unit only; a second organisation is not made by accident", async () => {
    const again = JSON.parse((await rollcall("administrator", "add", "ada@example.com", "--json")).out) as Record<string, unknown>;
    expect(again).toMatchObject({ personMade: false, unitMade: false, given: false });
    const grace = JSON.parse((await rollcall("administrator", "add", "grace", "--unit", "SALES", "--json")).out) as Record<string, unknown>;
    expect(grace).toMatchObject({ personMade: true, unitMade: false, given: true });
    const other = await rollcall("administrator", "add", "grace", "--organisation", "Other");
    expect([other.code === 0, other.error]).toEqual([false, expect.stringContaining("Acme Ltd")]);
    expect((await db.pool.query("select from units where type = 'organization'")).rowCount).toBe(1);
  });

  test("A4: the tops that stand beside the organisation are named: an administrator of the one sees nothing of the others", async () => {
    await inTransaction(db, testContext(), (work) => createUnit(work, { name: "Feed", code: "FEED" }));
    const told = await rollcall("administrator", "add", "ada@example.com");
    expect(told.code).toBe(0);
    expect(told.error).toContain("Feed stands beside Acme Ltd, not below it");
    expect(told.error).toContain("rollcall administrator add ada@example.com --unit FEED");
    expect((await rollcall("administrator", "add", "ada@example.com", "--unit", "FEED")).error).toBe("");
    expect((await rollcall("administrator", "add", "ada@example.com")).error).toBe("");
  });

  test("M1: a SCIM token that is somebody's knows who /Me is, until it is revoked", async () => {
    const made = await rollcall("token", "create", "--name", "ada's", "--scope", "scim", "--person", "ada@example.com");
    expect(made.out).toMatch(/^rc_scim_\S+\n$/);
    const config = { http: { bodyLimit: 1024 * 1024, trustProxy: false }, outbound: { allow: [...loopback.allow], direct: [] } };
    const app = createApp({ db, keyRing, config, log: silentLog, now: () => new Date() });
    const me = () => supertest(app).get("/scim/v2/Me").set("Authorization", `Bearer ${made.out.trim()}`);
    expect((await me()).body).toMatchObject({ userName: "ada@example.com" });
    await rollcall("token", "revoke", "ada's", "--reason", "left");
    expect((await me()).status).toBe(401);
  });

  test("G5: a service's token is narrowed to permissions and units; what makes no sense for its scope is refused", async () => {
    const create = (...more: string[]) => rollcall("token", "create", "--name", "kiosk", ...more);
    const { code } = await create("--scope", "api", "--permission", "rollcall.access.check", "--unit", "SALES");
    expect(code).toBe(0);
    const { rows } = await db.pool.query("select permissions, cardinality(unit_ids) as units from tokens where name = 'kiosk'");
    expect(rows).toEqual([{ permissions: ["rollcall.access.check"], units: 1 }]);
    expect((await create("--scope", "api", "--permission", "rollcall.everything")).error).toContain("rollcall.everything");
    expect((await create("--scope", "scim", "--unit", "SALES")).error).toContain("--unit: a token of scope scim has none");
    expect((await create("--scope", "feed", "--person", "ada@example.com")).error).toContain("--person: a token of scope feed has none");
    expect((await create("--scope", "api", "--connection", "hr")).error).toContain("--connection: a token of scope api has none");
    expect((await create("--scope", "feed", "--connection", "hr")).error).toContain(`no connection "hr"`);
    expect((await create("--scope", "api", "--unit", "NOWHERE")).error).toContain("NOWHERE");
  });
});
