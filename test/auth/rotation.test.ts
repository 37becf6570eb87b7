import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { listTokens, tokenId } from "../../src/auth/token-list.ts";
import { rotateToken, type RotateOptions } from "../../src/auth/rotation.ts";
import { authenticateToken, createToken, revokeToken, type NewToken } from "../../src/auth/tokens.ts";
import { inTransaction } from "../../src/db/database.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const NOON = new Date("2026-03-01T12:00:00Z");
const hours = (count: number) => new Date(NOON.getTime() + count * 3600_000);
const make = (options: Partial<NewToken> = {}) =>
  inTransaction(db, testContext({ now: () => NOON }), (work) => createToken(work, { name: "idp", scope: "scim", ...options }));
const rotate = (options: Partial<RotateOptions> & { token: string }) =>
  inTransaction(db, testContext({ now: () => NOON }), (work) => rotateToken(work, { oldUntil: hours(24), ...options }));
const isGood = (bearer: string, now: Date) =>
  authenticateToken(db.pool, { bearer, now }).then(
    () => true,
    () => false,
  );

describe("G5: tokens are rotated with an overlap", () => {
  test("G5: both work until the overlap ends, then the new one alone; it is for the same client", async () => {
    const old = await make({ name: "both" });
    const rotated = await rotate({ token: "both", expiresAt: hours(1000) });
    expect([await isGood(old.token, hours(23)), await isGood(rotated.token, hours(23))]).toEqual([true, true]);
    expect([await isGood(old.token, hours(24)), await isGood(rotated.token, hours(24))]).toEqual([false, true]);
    expect(await isGood(rotated.token, hours(1000))).toBe(false);
    const holder = await authenticateToken(db.pool, { bearer: rotated.token, now: NOON });
    expect(holder).toMatchObject({ name: "both", scope: "scim", connection: { name: "scim" } });
    const { rows } = await db.pool.query("select data from audit_events where name = 'token.rotated' and subject_id = $1", [old.id]);
    expect(rows).toEqual([{ data: { name: "both", replacedBy: rotated.id, until: hours(24).toISOString() } }]);
  });

  test("G5: rotated again and again, there are never two candidates; an end that was nearer stays", async () => {
    const first = await make({ name: "often", expiresAt: hours(2) });
    expect((await rotate({ token: "often", expiresAt: null })).replaces).toEqual({ id: first.id, until: hours(2) });
    const third = await rotate({ token: "often" });
    expect(third.replaces.until).toEqual(hours(24));
    expect(await isGood(first.token, hours(1))).toBe(true);
    const states = (await listTokens(db.pool, { now: hours(25) }))
      .filter(({ name }) => name === "often")
      .map(({ id, state }) => [id === third.id, state]);
    expect(states.sort()).toEqual([
      [false, "expired"],
      [false, "expired"],
      [true, "live"],
    ]);
  });

  test("G5: the new one is given as long as the old one was, unless told otherwise; a rotation that was taken back shortens nothing", async () => {
    await make({ name: "year", expiresAt: hours(8760) });
    const replacement = await rotate({ token: "year" });
    expect(replacement.expiresAt).toEqual(hours(8760));
    await inTransaction(db, testContext({ now: () => NOON }), (work) => revokeToken(work, { id: replacement.id, reason: "leaked" }));
    const again = await rotate({ token: "year" });
    expect([again.expiresAt, await isGood(again.token, hours(8759)), await isGood(again.token, hours(8760))]).toEqual([
      hours(8760),
      true,
      false,
    ]);
    expect((await rotate({ token: "year", expiresAt: null })).expiresAt).toBeNull();
    expect((await rotate({ token: "year" })).expiresAt).toBeNull();
  });

  test("G5: a leaked replacement that was revoked leaves the old one to be rotated anew", async () => {
    const old = await make({ name: "leak" });
    const leaked = await rotate({ token: "leak" });
    await inTransaction(db, testContext({ now: () => NOON }), (work) => revokeToken(work, { id: leaked.id, reason: "leaked" }));
    expect((await rotate({ token: "leak" })).replaces.id).toBe(old.id);
  });

  test("G5: a name that several live tokens have must be an id; what is revoked, expired or unknown can't be rotated", async () => {
    const [one] = [await make({ name: "twice" }), await make({ name: "twice" })];
    await expect(rotate({ token: "twice" })).rejects.toMatchObject({ code: "conflict" });
    await expect(tokenId(db.pool, "twice")).rejects.toMatchObject({ code: "conflict" });
    expect((await rotate({ token: one.id })).replaces.id).toBe(one.id);
    const gone = await make({ name: "gone" });
    await inTransaction(db, testContext(), (work) => revokeToken(work, { id: gone.id, reason: "over" }));
    for (const token of ["gone", "nobody"]) await expect(rotate({ token })).rejects.toMatchObject({ code: "not_found" });
  });

  test("G5: whoever calls a token of their own by another's id stands in nobody's way, and is not taken for it once that one is over", async () => {
    const wanted = await make({ name: "stolen" });
    await make({ name: wanted.id });
    expect(await tokenId(db.pool, wanted.id)).toBe(wanted.id);
    expect((await rotate({ token: wanted.id })).replaces.id).toBe(wanted.id);
    await inTransaction(db, testContext(), (work) => revokeToken(work, { id: wanted.id, reason: "stolen" }));
    await expect(tokenId(db.pool, wanted.id)).rejects.toMatchObject({ code: "not_found" });
    await expect(rotate({ token: wanted.id })).rejects.toMatchObject({ code: "not_found" });
  });

  test("G5: two who rotate at once don't both succeed", async () => {
    const { id } = await make({ name: "race" });
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => rotate({ token: id })));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});
