import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { people, startMachinery, type Machinery } from "./machinery.ts";

let world: Machinery;
beforeAll(async () => {
  world = await startMachinery();
  world.write(people(40));
  await world.door.request("POST", "/connections", { body: world.hr("hr") }).expect(201);
  await world.sync("hr");
});
afterAll(() => world?.close());

const active = async () => (await world.door.db.pool.query<{ n: number }>("select count(*)::int as n from people where active")).rows[0]?.n;
const held = async () => (await world.door.request("GET", "/plans?state=held").expect(200)).body.items;
const shown = async (id: number) => (await world.door.request("GET", `/plans/${id}`).expect(200)).body;

/** Most of the file is gone: a plan that guards hold. */
async function heldPlan(left: number): Promise<{ id: number; hash: string; runId: number }> {
  world.write(people(left));
  const run = await world.sync("hr");
  expect(run.state).toBe("held");
  return shown(run.planId ?? 0);
}

describe("plans by API", () => {
  test("B1, B2: a plan that a guard holds says why with its numbers, is read page by page, and is applied only under the hash that was shown", async () => {
    const { door } = world;
    const plan = await heldPlan(10);
    expect(await held()).toMatchObject([{ id: plan.id, connection: "hr", counts: { user: { delete: 30 } } }]);
    expect(await shown(plan.id)).toMatchObject({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      guards: expect.arrayContaining([{ guard: "delete", message: "30 deletes of 40 active accounts; the limit is 5" }]),
    });
    const seen = new Set<string>();
    let cursor: string | null = "";
    while (cursor !== null) {
      const next: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { body } = await door.request("GET", `/plans/${plan.id}/items?limit=7&action=delete${next}`).expect(200);
      for (const item of body.items) {
        expect(item).toMatchObject({
          kind: "user",
          action: "delete",
          reason: expect.any(String),
          subject: expect.stringMatching(/^p\d+$/),
        });
        seen.add(item.nativeId);
      }
      cursor = body.next;
    }
    expect(seen.size).toBe(30);
    const wrong = { hash: "0".repeat(64), reason: "looks fine" };
    await door.request("POST", `/plans/${plan.id}/approve`, { body: wrong }).expect(412);
    await door.request("POST", `/plans/${plan.id}/approve`, { body: { hash: plan.hash } }).expect(422);
    expect(await active()).toBe(40);
    const approved = await door
      .request("POST", `/plans/${plan.id}/approve`, { body: { hash: plan.hash, reason: "the branch closed" } })
      .expect(200);
    expect(approved.body).toMatchObject({ decidedBy: "token:test" });
    await world.untilRun(plan.runId, ["done"]);
    expect(await active()).toBe(10);
    expect(await shown(plan.id)).toMatchObject({ state: "applied", refused: 0, failed: 0 });
    await door.request("POST", `/plans/${plan.id}/approve`, { body: { hash: plan.hash, reason: "again" } }).expect(409);
    const { rows } = await door.db.pool.query("select reason, data ->> 'hash' as hash from audit_events where name = 'plan.approved'");
    expect(rows).toEqual([{ reason: "the branch closed", hash: plan.hash }]);
  });

  test("B1: items that were changed after the approval are not applied, and nothing else of the plan is", async () => {
    const { door } = world;
    world.write(people(40));
    await world.sync("hr");
    expect(await active()).toBe(40);
    const plan = await heldPlan(12);
    await world.stopWorker();
    await door.request("POST", `/plans/${plan.id}/approve`, { body: { hash: plan.hash, reason: "as shown" } }).expect(200);
    await door.db.pool.query(
      "update plan_items set reason = 'slipped in' where plan_id = $1 and seq = (select min(seq) from plan_items where plan_id = $1)",
      [plan.id],
    );
    await world.startWorker();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await active()).toBe(40);
    expect(await shown(plan.id)).toMatchObject({ state: "approved", appliedAt: null });
    await door.db.pool.query("update plans set state = 'superseded' where id = $1", [plan.id]);
  });

  test("a run that decides what is held already leaves that to wait, and says so; plans of a removed connection are decided by nobody", async () => {
    const own = await startMachinery();
    try {
      own.write(people(40));
      await own.door.request("POST", "/connections", { body: own.hr("hr") }).expect(201);
      await own.sync("hr");
      own.write(people(10));
      const first = await own.sync("hr");
      expect([first.state, (await own.sync("hr")).state]).toEqual(["held", "superseded"]);
      const { rows } = await own.door.db.pool.query<{ id: number; hash: string }>(
        "select id, encode(hash, 'hex') as hash from plans order by id desc limit 1",
      );
      const decide = (id: number | null | undefined, action: string) =>
        own.door.request("POST", `/plans/${id}/${action}`, { body: { hash: rows[0]?.hash, reason: "test" } });
      const refused = await decide(rows[0]?.id, "approve").expect(409);
      expect(refused.body.detail).toContain(`plan ${first.planId} waits for a decision instead`);
      await own.door.request("DELETE", "/connections/hr?leaving=40", { headers: { "If-Match": "*" } }).expect(200);
      await own.door.request("GET", `/plans/${first.planId}`).expect(404);
      for (const action of ["approve", "reject"]) await decide(first.planId, action).expect(404);
    } finally {
      await own.close();
    }
  });

  test("B2: rejected, nothing of it happens; a newer run takes the place of what was shown", async () => {
    const { door } = world;
    const first = await heldPlan(15);
    const second = await heldPlan(14);
    expect(await shown(first.id)).toMatchObject({ state: "superseded" });
    await door.request("POST", `/plans/${first.id}/approve`, { body: { hash: first.hash, reason: "too late" } }).expect(409);
    const rejected = await door
      .request("POST", `/plans/${second.id}/reject`, { body: { hash: second.hash, reason: "a broken export" } })
      .expect(200);
    expect(rejected.body).toMatchObject({ state: "rejected", decidedBy: "token:test" });
    expect(await active()).toBe(40);
    expect(await held()).toEqual([]);
  });

  test("values before and after are for who may see the person", async () => {
    const { door } = world;
    world.write(
      people(40)
        .map((row, index) => (index === 3 ? { ...row, department: "Research" } : row))
        .concat({ number: "9000", login: "newcomer" }),
    );
    const { planId } = await world.sync("hr", { planOnly: true });
    const at = `/plans/${planId}/items`;
    const { body } = await door.request("GET", at).expect(200);
    expect(body.items.find(({ subject }: { subject: string }) => subject === "p3")).toMatchObject({
      action: "update",
      changed: ["department"],
      before: { department: "Sales" },
      after: { department: "Research" },
    });
    expect(body.items.find(({ subject }: { subject: string }) => subject === "newcomer")).toMatchObject({
      action: "create",
      before: null,
      after: { userName: "newcomer", employeeNumber: "9000" },
    });
    const token = await door.newToken({ permissions: ["rollcall.plans.view"] });
    for (const item of (await door.request("GET", at, { token }).expect(200)).body.items)
      expect(item).toMatchObject({ before: null, after: null });
  });

  test("an auditor sees and decides nothing; a unit's administrator doesn't even see", async () => {
    const { door } = world;
    const top = await door.newUnit({ name: "Company", type: "organization" });
    const below = await door.newUnit({ name: "Branch", parentId: top });
    const auditor = await door.newHolder({ role: "rollcall-auditor", unitId: top });
    const [plan] = await held();
    await door.request("GET", `/plans/${plan.id}`, { token: auditor.token }).expect(200);
    for (const action of ["approve", "reject"])
      await door
        .request("POST", `/plans/${plan.id}/${action}`, { token: auditor.token, body: { hash: plan.hash, reason: "mine" } })
        .expect(403);
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: below });
    for (const at of ["/plans", `/plans/${plan.id}`, "/runs", "/connections", "/accounts", "/targets", "/deliveries"])
      await door.request("GET", at, { token }).expect(403);
  });

  test.each([
    ["GET", "/plans/none", undefined, 422],
    ["GET", "/plans/999999", undefined, 404],
    ["GET", "/plans/999999/items", undefined, 404],
    ["GET", "/plans/1/items?kind=robot", undefined, 422],
    ["GET", "/plans/1/items?cursor=abc", undefined, 422],
    ["GET", "/plans?state=great", undefined, 422],
    ["POST", "/plans/999999/approve", { hash: "0".repeat(64), reason: "x" }, 404],
    ["POST", "/plans/1/approve", { hash: "short", reason: "x" }, 422],
    ["POST", "/plans/1/approve", { hash: "0".repeat(64), reason: "x", force: true }, 422],
    ["POST", "/plans/1/reject", {}, 422],
    ["POST", "/plans/1/reject", { hash: "0".repeat(64), reason: "x" }, 409],
  ])("wrong input: %s %s %j is answered with %d", async (method, at, body, status) => {
    await world.door.request(method, at, { body }).expect(status);
  });
});
