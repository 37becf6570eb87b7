import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Express } from "express";
import supertest from "supertest";
import { createApp } from "../../src/app.ts";
import { openDatabase, type Database } from "../../src/db/database.ts";
import { databaseIsGone, passingFailure } from "../../src/db/failures.ts";
import { AppError } from "../../src/errors.ts";
import { openBreakingWire, type BreakingWire } from "../helpers/breaking-wire.ts";
import { silentLog, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { keyRing } from "./scim/door.ts";

let [server, wire, db, app] = [] as unknown as [TestDatabase, BreakingWire, Database, Express];
beforeAll(async () => {
  server = await testDatabase();
  const url = new URL(server.url);
  wire = await openBreakingWire({ host: url.hostname, port: Number(url.port) });
  url.port = String(wire.port);
  db = openDatabase({ url: url.href, poolSize: 2 });
  app = createApp({ db, keyRing, config: { http: { bodyLimit: 10_000, trustProxy: false } }, log: silentLog });
});
afterAll(async () => {
  await db.close();
  await server.drop();
});

const SOMETHING = "x".repeat(43);
const bearer = (kind: string) => ({ Authorization: `Bearer rc_${kind}_aaaaaaaa_${SOMETHING}` });

/** One request at each door, of a kind that can't be answered without the database. */
const DOORS: Readonly<Record<string, () => supertest.Test>> = {
  "the administration API": () => supertest(app).get("/api/v1/me").set(bearer("api")),
  "a check": () => supertest(app).post("/api/v1/check").set(bearer("api")).send({ questions: [] }),
  "the console's API": () => supertest(app).get("/console/api/v1/me").set("Cookie", `__Host-rollcall=${SOMETHING}`),
  SCIM: () => supertest(app).get("/scim/v2/Users").set(bearer("scim")),
  "the sign-in page": () => supertest(app).get("/login"),
  "the token endpoint": () =>
    supertest(app)
      .post("/oauth/token")
      .type("form")
      .send({ grant_type: "client_credentials", client_id: "some", client_secret: SOMETHING }),
  feeds: () => supertest(app).put("/feeds/hr").set(bearer("feed")).set("Content-Type", "text/csv").send("a,b\n"),
  "change notifications": () => supertest(app).post("/hooks/hr").send({}),
  "how the server is": () => supertest(app).get("/readyz"),
};

describe("a database that is gone", () => {
  test("M5: every door says 503, and when to come again", async () => {
    for (const [name, ask] of Object.entries(DOORS)) expect([name, (await ask()).status < 500]).toEqual([name, true]);
    await wire.stop();
    const gone: Record<string, unknown> = {};
    for (const [name, ask] of Object.entries(DOORS)) {
      const { status, headers } = await ask();
      gone[name] = [status, Number(headers["retry-after"]) > 0];
    }
    expect(gone).toEqual(Object.fromEntries(Object.keys(DOORS).map((name) => [name, [503, true]])));
    expect((await supertest(app).get("/healthz")).status).toBe(200);
    expect((await supertest(app).get("/metrics")).text).toContain("rollcall_database_up 0");
  });

  test("is told from what a statement did wrong, whatever words it has", () => {
    const coded = (code: string) => Object.assign(new Error("something"), { code });
    for (const code of ["57P01", "57P02", "57P03", "53300", "ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND"])
      expect([code, databaseIsGone(coded(code))]).toEqual([code, true]);
    for (const code of ["23505", "42703", "57014", "40P01", "ENOENT"]) expect([code, databaseIsGone(coded(code))]).toEqual([code, false]);
    expect(databaseIsGone(new Error("Connection terminated unexpectedly"))).toBe(true);
    expect(databaseIsGone(new AppError("internal", "Connection terminated"))).toBe(false);
    expect(passingFailure(coded("57014"))).toMatchObject({ code: "busy", retryAfter: 5 });
    // Its disk or its memory is full: somebody makes room, and the same succeeds.
    for (const code of ["53000", "53100", "53200"])
      expect([code, databaseIsGone(coded(code)), passingFailure(coded(code))]).toMatchObject([
        code,
        false,
        { code: "unavailable", retryAfter: 60 },
      ]);
    // On a full disk it begins no session, and calls that a fault of its own.
    const unbegun = (severity: string, code: string) => Object.assign(coded(code), { severity });
    expect(passingFailure(unbegun("FATAL", "XX000"))).toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(passingFailure(unbegun("FATAL", "53100"))).toMatchObject({ code: "unavailable", retryAfter: 60 });
    expect(passingFailure(unbegun("ERROR", "XX000"))).toBeUndefined();
    // Another server is taking its place, or it was closed until there is room.
    expect(passingFailure(coded("25006"))).toMatchObject({ code: "unavailable", retryAfter: 5 });
    expect(passingFailure(coded("40P01"))).toMatchObject({ code: "busy", retryAfter: 1 });
    expect(passingFailure(coded("23505"))).toBeUndefined();
  });
});
