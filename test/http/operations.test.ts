import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { createApp } from "../../src/app.ts";
import { openDatabase, type Database } from "../../src/db/database.ts";
import { createLog } from "../../src/log.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";
import { keyRing } from "./scim/door.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

function openApp(of: Database = db, { now }: { now?: () => Date } = {}) {
  const lines: string[] = [];
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const app = createApp({
    db: of,
    keyRing,
    config: { http: { bodyLimit: 10_000, trustProxy: false } },
    log: createLog({ level: "debug", destination }),
    ...(now ? { now } : {}),
  });
  return { app, lines };
}

describe("M5: how the server says that it is well", () => {
  test("M5: alive, and ready when the database answers and is migrated", async () => {
    const { app } = openApp();
    expect((await supertest(app).get("/healthz")).body).toEqual({ status: "ok" });
    expect((await supertest(app).get("/readyz")).body).toEqual({ status: "ready" });
    await db.pool.query("update _prisma_migrations set rolled_back_at = started_at");
    try {
      const answer = await supertest(app).get("/readyz");
      expect([answer.status, answer.body.reason]).toEqual([503, expect.stringContaining("_init")]);
    } finally {
      await db.pool.query("update _prisma_migrations set rolled_back_at = null");
    }
  });

  test("M5: not ready while its clock is far from the database's: who leaves by this node would stay in on the others", async () => {
    const { app, lines } = openApp(db, { now: () => new Date(Date.now() + 3_600_000) });
    const answer = await supertest(app).get("/readyz");
    expect([answer.status, answer.body.reason]).toEqual([503, expect.stringContaining("ahead of the database's")]);
    expect(lines.join("")).toContain("ahead of the database's");
  });

  test("M5: not ready while the database can only be read, as one that stands by for another", async () => {
    const url = new URL(db.url);
    url.searchParams.set("options", "-c default_transaction_read_only=on");
    const standby = openDatabase({ url: url.href, poolSize: 2 });
    try {
      const answer = await supertest(openApp(standby).app).get("/readyz");
      expect([answer.status, answer.body, answer.headers["retry-after"]]).toEqual([
        503,
        { status: "not ready", reason: expect.stringContaining("only be read") },
        "5",
      ]);
      expect((await supertest(openApp(standby).app).get("/healthz")).status).toBe(200);
    } finally {
      await standby.close();
    }
  });

  test("B7: metrics count requests by route and what stands in the database, in a registry of the app's own", async () => {
    const { app } = openApp();
    await db.pool.query("insert into connections (name, connector) values ('ldap', 'ldap')");
    await db.pool
      .query(`with run as (insert into runs (connection_id, mode, trigger, state, started_at) select id, 'full', 'api', 'held', now() from connections returning id, connection_id)
      insert into plans (run_id, connection_id, state, opened_at) select id, connection_id, 'held', now() from run`);
    await db.pool.query(
      "insert into projections (connection_id, kind, person_id, desired_state, state, dirty_at) select id, 'user', gen_random_uuid(), 'active', 'dead', now() from connections",
    );
    await db.pool.query("select graphile_worker.add_job('sync', '{}'::json)");
    await supertest(app).get("/scim/v2/Users/2819c223-7f76-453a-919d-413861904646");
    const { text, headers } = await supertest(app).get("/metrics");
    expect(headers["content-type"]).toContain("text/plain");
    for (const line of [
      'rollcall_http_request_duration_seconds_count{method="GET",route="none",status="401"} 1',
      'rollcall_runs{connection="ldap",state="held"} 1',
      'rollcall_plans_held{connection="ldap"} 1',
      'rollcall_projections{connection="ldap",state="dead"} 1',
      'rollcall_projections_dirty{connection="ldap"} 1',
      'rollcall_queue_jobs{job="sync"} 1',
      "rollcall_database_up 1",
    ])
      expect(text).toContain(line);
    expect(text).not.toContain("2819c223");
    expect((await supertest(openApp().app).get("/metrics")).text).not.toContain('status="401"');
  });

  test("invariant 8: the log has a line a request, without query string and token", async () => {
    const { app, lines } = openApp();
    await supertest(app)
      .get('/scim/v2/Users?filter=userName%20eq%20"private"')
      .set("Authorization", "Bearer rc_scim_secret")
      .set("X-Request-Id", "trace-1");
    await supertest(app).get("/nowhere").set("X-Request-Id", "bad id\twith spaces");
    const log = lines.join("");
    expect(log).toContain('"path":"/scim/v2/Users"');
    expect(log).toContain('"correlationId":"trace-1"');
    expect(log).not.toMatch(/private|rc_scim_secret|bad id/);
  });

  test("M5: what stands at no door is a plain 404, and headers say no more than they must", async () => {
    const { app } = openApp();
    const answer = await supertest(app).get("/nowhere");
    expect([answer.status, answer.body.error, answer.headers["x-powered-by"], answer.headers["etag"]]).toEqual([
      404,
      "not_found",
      undefined,
      undefined,
    ]);
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    expect((await supertest(app).get("/%E0%A4%A")).status).toBe(404);
  });
});
