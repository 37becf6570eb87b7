import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { giveGrant, revokeGrant } from "../../../src/access/grants.ts";
import { createApp } from "../../../src/app.ts";
import { revokeToken } from "../../../src/auth/tokens.ts";
import type { Database } from "../../../src/db/database.ts";
import { raiseBlocks } from "../../../src/directory/blocks.ts";
import { erasePerson } from "../../../src/directory/erasure.ts";
import { setPersonExpiry } from "../../../src/directory/person-expiry.ts";
import { cuttable } from "../../access/snapshot/cuttable.ts";
import { silentLog } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let unitId: string;
let below: string;
let personId: string;
const permission = "rollcall.units.view";
beforeAll(async () => {
  door = await openApi();
  unitId = await door.newUnit({ name: "North", code: "NORTH" });
  below = await door.newUnit({ name: "Harbour", code: "HARBOUR", parentId: unitId });
  personId = await door.newPerson({ userName: "Ada@example.com" });
});
afterAll(() => door.close());

/** Asks again where nothing is answered: a machine that is too busy for a second is not what these tests are about. */
async function check(questions: unknown, options: { token?: string } = {}) {
  for (;;) {
    const answer = await door.request("POST", "/check", { body: { questions }, ...options });
    if (answer.status !== 503) return answer;
  }
}

describe("POST /check", () => {
  test("A6: answers many questions in order, says as of when, and knows a change made by another node's transaction", async () => {
    const grantId = await door.work((work) =>
      giveGrant(work, { personId, role: "rollcall-auditor", unit: "NORTH", until: new Date(door.clock.now().getTime() + 3_600_000) }),
    );
    const questions = [
      { person: personId, permission, unit: below },
      { person: "ada@EXAMPLE.com", permission, unit: "harbour" },
      { person: personId, permission: "rollcall.units.edit", unit: unitId },
      { person: "nobody", permission, unit: unitId },
      { person: personId, permission, unit: "NOWHERE" },
    ];
    const answersWhen = async (allowed: boolean) => {
      for (;;) {
        const { body } = await check(questions);
        if (body.answers[0].allowed === allowed) return body;
      }
    };
    const body = await answersWhen(true);
    const yes = { allowed: true, until: expect.any(String) as unknown };
    expect(body).toEqual({
      asOf: expect.any(String) as unknown,
      revision: expect.any(String) as unknown,
      answers: [yes, yes, { allowed: false }, { error: "unknown_person" }, { error: "unknown_unit" }],
    });
    expect(new Date(body.asOf as string).getTime()).toBeLessThanOrEqual(door.clock.now().getTime());
    await door.work((work) => revokeGrant(work, { grantId, reason: "test" }));
    expect((await answersWhen(false)).answers.slice(0, 3)).toEqual([{ allowed: false }, { allowed: false }, { allowed: false }]);
  });

  test("who may check in one unit asks about it and what is below; anything else is forbidden, not false", async () => {
    const { token } = await door.newHolder({ role: "rollcall-access-checker", unitId: below });
    const questions = [below, unitId, "NOWHERE"].map((unit) => ({ person: personId, permission, unit }));
    // That they hold the role is known from memory, too: within a second.
    const answered = async () => {
      for (;;) {
        const answer = await check(questions, { token });
        if (answer.status !== 403) return answer;
      }
    };
    const { status, body } = await answered();
    expect([status, body.answers]).toEqual([200, [{ allowed: false }, { error: "forbidden" }, { error: "forbidden" }]]);
    expect((await check(questions, { token: await door.newToken({ personId }) })).status).toBe(403);
    const narrowed = await door.newToken({ unitIds: [below] });
    expect((await check(questions, { token: narrowed })).body.answers[1]).toEqual({ error: "forbidden" });
  });

  test("who may ask about everybody, but not see them, is told the same of nobody as of somebody without rights", async () => {
    const token = await door.newToken({ permissions: ["rollcall.access.check"] });
    const stranger = await door.newPerson();
    const questions = [stranger, "nobody"].map((person) => ({ person, permission, unit: unitId }));
    expect((await check(questions, { token })).body.answers).toEqual([{ allowed: false }, { allowed: false }]);
  });

  test("questions are bounded, and what is wrong is named", async () => {
    const one = { person: personId, permission, unit: unitId };
    const refused = async (questions: unknown) => {
      const { status, body } = await check(questions);
      return [status, body.field];
    };
    expect(await refused([])).toEqual([422, "questions"]);
    expect(await refused(Array.from({ length: 1001 }, () => one))).toEqual([422, "questions"]);
    expect(await refused([one, { ...one, person: "x".repeat(321) }])).toEqual([422, "questions.1.person"]);
    expect(await refused([{ ...one, at: "2020-01-01" }])).toEqual([422, "questions.0.at"]);
    const { status, body } = await check(Array.from({ length: 1000 }, () => one));
    expect([status, body.answers.length]).toEqual([200, 1000]);
  });

  test("status and metrics say how old and how large the snapshot is", async () => {
    await check([{ person: personId, permission, unit: unitId }]);
    const { status, body } = await door.request("GET", "/check/status");
    expect([status, body.state, body.units]).toEqual([200, expect.stringMatching(/ready|stale/), 2]);
    const metrics = await (await fetch(`${door.url}/metrics`)).text();
    expect(metrics).toMatch(/^rollcall_access_snapshot_age_seconds [\d.]+$/m);
    expect(metrics).toMatch(/^rollcall_access_snapshot_people \d+$/m);
  });

  describe("who calls is found in memory, too", () => {
    /** How often somebody's token was looked up in the database. */
    let looks = 0;
    let checkers = 0;
    let app: ReturnType<typeof createApp>;
    let way: Awaited<ReturnType<typeof cuttable>>;
    const closing = new AbortController();
    const forward = { ms: 0 };
    beforeAll(async () => {
      way = await cuttable(door.db.url);
      const sharedReads: Database["sharedReads"] = {
        query(read) {
          if (read.name === "token-holder") looks += 1;
          return door.db.sharedReads.query(read);
        },
      };
      app = createApp({
        db: { ...door.db, sharedReads, url: way.url, closing: closing.signal },
        keyRing,
        config: { http: { bodyLimit: 1024 * 1024, trustProxy: false } },
        log: silentLog,
        now: () => new Date(door.clock.now().getTime() + forward.ms),
      });
    });
    afterAll(async () => {
      closing.abort();
      await way.close();
    });
    const asked = (token: string, unit = unitId) =>
      supertest(app)
        .post("/api/v1/check")
        .set("Authorization", `Bearer ${token}`)
        .send({ questions: [{ person: personId, permission, unit }] });
    const until = async (token: string, status: number) => {
      for (let answer = await asked(token); ; answer = await asked(token)) if (answer.status === status) return answer;
    };
    /** Asks until it is answered without the database. */
    const kept = async (token: string) => {
      for (let before = -1; before !== looks;) {
        before = looks;
        await until(token, 200);
      }
    };
    const checker = async () => {
      const userName = `checker-${(checkers += 1)}`;
      const id = await door.newPerson({ userName });
      await door.work((work) => giveGrant(work, { personId: id, role: "rollcall-access-checker", unit: unitId }));
      return { personId: id, userName, token: await door.newToken({ personId: id }) };
    };
    const tokenId = async (token: string) =>
      (await door.db.pool.query<{ id: string }>("select id from tokens where prefix = $1", [token.split("_")[2]])).rows[0]?.id ?? "";

    test("A6: a token that is revoked, or narrowed, one of somebody suspended, deleted or without the grant, is refused without being looked up before", async () => {
      const service = await door.newToken();
      await kept(service);
      await door.work(async (work) => revokeToken(work, { id: await tokenId(service), reason: "test" }));
      await until(service, 401);

      const narrowed = await door.newToken();
      await kept(narrowed);
      await door.db.pool.query("update tokens set unit_ids = $2 where id = $1", [await tokenId(narrowed), [below]]);
      for (;;) if ((await until(narrowed, 200)).body.answers[0].error === "forbidden") break;
      await kept(narrowed);
      await door.db.pool.query("update tokens set permissions = '{rollcall.people.view}' where id = $1", [await tokenId(narrowed)]);
      await until(narrowed, 403);

      const [suspended, deleted, stripped] = [await checker(), await checker(), await checker()];
      const responsible = await door.newToken({ responsibleId: suspended.personId });
      for (const token of [suspended.token, responsible, deleted.token, stripped.token]) await kept(token);
      await door.work((work) => raiseBlocks(work, [{ personId: suspended.personId, owner: "admin", effect: "suspended", reason: "test" }]));
      await until(suspended.token, 401);
      await until(responsible, 401);
      await door.work((work) =>
        erasePerson(work, { personId: deleted.personId, confirm: deleted.userName, reason: "test", force: true, keyRing }),
      );
      await until(deleted.token, 401);
      const { rows } = await door.db.pool.query<{ grant_id: string }>("select grant_id from grants where person_id = $1", [
        stripped.personId,
      ]);
      await door.work((work) => revokeGrant(work, { grantId: rows[0]?.grant_id ?? "", reason: "test" }));
      await until(stripped.token, 403);
    });

    test("A6: where the database says nothing at all, the answer is 503, and comes", async () => {
      const silent: Database["sharedReads"] = { query: () => new Promise(() => undefined) };
      const alone = createApp({
        db: { ...door.db, sharedReads: silent, closing: closing.signal },
        keyRing,
        config: { http: { bodyLimit: 1024 * 1024, trustProxy: false } },
        log: silentLog,
      });
      const { status, headers, body } = await supertest(alone)
        .post("/api/v1/check")
        .set("Authorization", `Bearer ${await door.newToken()}`)
        .send({ questions: [{ person: personId, permission, unit: unitId }] });
      expect([status, headers["retry-after"], body.code]).toEqual([503, "1", "unavailable"]);
    });

    test("A6: a token ends at its time, and its person's access at theirs, without any change to hear of; a use is noted every minute", async () => {
      const end = new Date(door.clock.now().getTime() + 86_400_000);
      const token = await door.newToken({ expiresAt: end });
      const ending = await checker();
      await door.work((work) => setPersonExpiry(work, { personId: ending.personId, until: end, reason: "test" }));
      await kept(token);
      await kept(ending.token);
      const used = async () =>
        (await door.db.pool.query<{ at: Date }>("select last_used_at as at from tokens where id = $1", [await tokenId(token)])).rows[0]?.at;
      const before = await used();
      forward.ms = 61_000;
      await until(token, 200);
      expect((await used())?.getTime()).toBeGreaterThanOrEqual((before?.getTime() ?? Infinity) + 60_000);
      forward.ms = 86_400_001;
      expect((await until(token, 401)).body.code).toBe("unauthenticated");
      await until(ending.token, 401);
      forward.ms = 0;
    });

    test("A6: without its feed a node asks the database who calls, and answers nobody else", async () => {
      const [token, stranger] = [await door.newToken(), await door.newToken({ personId })];
      await kept(token);
      way.cut();
      await until(token, 503);
      const before = looks;
      expect([(await asked(token)).status, (await asked(stranger)).status]).toEqual([503, 403]);
      expect(looks).toBe(before + 2);
      await door.work(async (work) => revokeToken(work, { id: await tokenId(token), reason: "test" }));
      expect((await asked(token)).status).toBe(401);
      way.mend();
      await until(door.token, 200);
      expect((await asked(token)).status).toBe(401);
    });
  });

  test("A6: a node that has lost its feed answers 503 with Retry-After, and nothing else", async () => {
    const way = await cuttable(door.db.url);
    const closing = new AbortController();
    try {
      const app = createApp({
        db: { ...door.db, url: way.url, closing: closing.signal },
        keyRing,
        config: { http: { bodyLimit: 1024 * 1024, trustProxy: false } },
        log: silentLog,
      });
      const ask = () =>
        supertest(app)
          .post("/api/v1/check")
          .set("Authorization", `Bearer ${door.token}`)
          .send({ questions: [{ person: personId, permission, unit: unitId }] });
      while ((await ask()).status !== 200);
      way.cut();
      let answer = await ask();
      while (answer.status === 200) answer = await ask();
      expect([answer.status, answer.headers["retry-after"], answer.body.code, answer.body.answers]).toEqual([
        503,
        "1",
        "unavailable",
        undefined,
      ]);
      expect(answer.type).toBe("application/problem+json");
      way.mend();
      while ((await ask()).status !== 200);
    } finally {
      closing.abort();
      await way.close();
    }
  });
});
