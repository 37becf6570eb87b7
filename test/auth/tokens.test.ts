import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { authenticateToken, createToken, revokeToken, type NewToken } from "../../src/auth/tokens.ts";
import { inTransaction } from "../../src/db/database.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const at = (text: string) => new Date(text);
const NOON = at("2026-03-01T12:00:00Z");
const make = (options: Partial<NewToken> = {}, now = NOON) =>
  inTransaction(db, testContext({ now: () => now }), (work) => createToken(work, { name: "okta", scope: "scim", ...options }));
const holder = (bearer: string | undefined, now = NOON) => authenticateToken(db.pool, { bearer, now });

describe("G5: API tokens", () => {
  test("G5: a token is shown once; its SHA-256 and a readable prefix are kept, and its making is audited", async () => {
    const { id, token } = await make();
    expect(token).toMatch(/^rc_scim_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$/);
    const { rows } = await db.pool.query("select * from tokens where id = $1", [id]);
    expect(rows[0].hash).toEqual(createHash("sha256").update(token).digest());
    expect(rows[0].prefix).toBe(token.split("_")[2]);
    const secret = token.slice(-43);
    const kept = await db.pool.query(
      "select (select string_agg(t::text, '') from tokens t) || (select string_agg(e::text, '') from audit_events e) as text",
    );
    expect(kept.rows[0].text.includes(secret)).toBe(false);
    const events = await db.pool.query("select name, data from audit_events where subject_id = $1", [id]);
    expect(events.rows).toEqual([{ name: "token.created", data: { name: "okta", scope: "scim", prefix: rows[0].prefix, expires: null } }]);
  });

  test("G5: a SCIM token without a connection belongs to the built-in one; an API token to none", async () => {
    expect(await holder((await make()).token)).toMatchObject({
      name: "okta",
      scope: "scim",
      connection: { name: "scim", enabled: true },
      personId: null,
    });
    expect((await holder((await make({ scope: "api" })).token)).connection).toBeNull();
    expect((await db.pool.query("select count(*) as made from connections")).rows[0].made).toBe(1);
  });

  test("invariant 6: a token ends at the instant it expires, and revocation acts on the next use", async () => {
    const { id, token } = await make({ expiresAt: at("2026-03-02T00:00:00Z") });
    await expect(holder(token, at("2026-03-01T23:59:59.999Z"))).resolves.toMatchObject({ id });
    await expect(holder(token, at("2026-03-02T00:00:00Z"))).rejects.toMatchObject({ code: "unauthenticated" });
    const revoke = (reason: string) => inTransaction(db, testContext(), (work) => revokeToken(work, { id, reason }));
    await revoke("leaked");
    await expect(holder(token)).rejects.toMatchObject({ code: "unauthenticated" });
    await revoke("again");
    const { rows } = await db.pool.query("select name, reason from audit_events where subject_id = $1 order by id", [id]);
    expect(rows).toEqual([
      { name: "token.created", reason: null },
      { name: "token.revoked", reason: "leaked" },
    ]);
  });

  test("invariant 5: a person's token ends with the person's access", async () => {
    const personId = "01900000-0000-7000-8000-000000000001";
    await db.pool.query("insert into people (id, user_name, attributes, created_at, modified_at) values ($1, 'ann', '{}', $2, $2)", [
      personId,
      NOON,
    ]);
    const { token } = await make({ scope: "api", personId });
    expect(await holder(token)).toMatchObject({ personId });
    await db.pool.query("update people set active = false where id = $1", [personId]);
    await expect(holder(token)).rejects.toMatchObject({ code: "unauthenticated" });
  });

  test("G5: use is noted at most once a minute", async () => {
    const { id, token } = await make();
    const used = async () =>
      (await db.pool.query("select last_used_at from tokens where id = $1", [id])).rows[0].last_used_at?.toISOString() ?? null;
    expect(await used()).toBeNull();
    await holder(token, at("2026-03-01T12:00:10Z"));
    await holder(token, at("2026-03-01T12:01:09Z"));
    expect(await used()).toBe("2026-03-01T12:00:10.000Z");
    await holder(token, at("2026-03-01T12:01:10Z"));
    expect(await used()).toBe("2026-03-01T12:01:10.000Z");
  });

  test("G5: what is no token is refused alike, and nonsense is not made", async () => {
    const { token } = await make();
    const changed = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
    const messages = new Set<string>();
    for (const bearer of ["", "x", changed, `${token}x`, token.replace("_scim_", "_api_")]) {
      await holder(bearer).then(
        () => messages.add("accepted"),
        (error: Error) => messages.add(error.message),
      );
    }
    expect([...messages]).toEqual([
      "The bearer token is not valid: it is unknown, has expired, was revoked, or is that of somebody without access.",
    ]);
    await expect(holder(undefined)).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(make({ name: " " })).rejects.toMatchObject({ code: "invalid", field: "name" });
    await expect(make({ expiresAt: NOON })).rejects.toMatchObject({ code: "invalid", field: "expires" });
    await expect(
      inTransaction(db, testContext(), (work) => revokeToken(work, { id: "01900000-0000-7000-8000-00000000ffff", reason: "x" })),
    ).rejects.toMatchObject({ code: "not_found" });
  });
});
