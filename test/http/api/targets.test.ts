import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startDownstream, type Downstream } from "../../../demo/downstream.ts";
import { until } from "../../jobs/waiting.ts";
import { people, startMachinery, type Machinery } from "./machinery.ts";

let world: Machinery;
let downstream: Downstream;
beforeAll(async () => {
  world = await startMachinery();
  downstream = await startDownstream();
  world.write(people(8));
  const app = { name: "app", connector: "scim", settings: { url: downstream.url, token: downstream.token }, policy: { provision: {} } };
  await world.door.request("POST", "/connections", { body: app }).expect(201);
  await world.door.request("POST", "/connections", { body: world.hr("hr") }).expect(201);
});
afterAll(async () => {
  await world?.close();
  await downstream?.stop();
});

const get = async (at: string) => (await world.door.request("GET", at).expect(200)).body;
const target = async () => (await get("/targets")).items[0];

describe("M4: targets by API", () => {
  test("what should be there, what stands there, and each delivery with its four times in order", async () => {
    await world.sync("hr");
    await until(
      () => downstream.users().length,
      (count) => count === 8,
    );
    await until(target, ({ waiting, dirty }) => waiting === 0 && dirty === 0);
    expect(await get("/targets")).toMatchObject({
      items: [{ name: "app", connector: "scim", projections: 8, dead: 0, lastDeliveredAt: expect.any(String) }],
    });
    const { items } = await get("/targets/app/projections?limit=200");
    expect(items).toHaveLength(8);
    for (const each of items)
      expect(each).toMatchObject({ kind: "user", desired: "present", delivered: "present", state: "idle", nativeId: expect.any(String) });
    expect((await get(`/targets/app/projections?person=${items[0].personId}`)).items).toMatchObject([{ id: items[0].id }]);
    const deliveries = (await get("/deliveries?target=app&operation=create&limit=200")).items;
    expect(deliveries).toHaveLength(8);
    for (const { seenAt, decidedAt, startedAt, finishedAt } of deliveries)
      expect([seenAt, decidedAt, startedAt, finishedAt]).toEqual([seenAt, decidedAt, startedAt, finishedAt].toSorted());
    expect((await get(`/deliveries?projection=${items[0].id}`)).items).toMatchObject([{ subject: items[0].subject, state: "delivered" }]);
  });

  test("B7: access that ended is measured, from the change to the last target", async () => {
    expect(await get("/deliveries/times")).toEqual({ hours: 24, people: 0, p50: null, p99: null, slowest: null });
    world.write(people(6));
    await world.sync("hr");
    const times = await until(
      () => get("/deliveries/times?hours=1"),
      ({ people: ended }) => ended === 2,
    );
    expect(times).toMatchObject({ hours: 1, p50: expect.any(Number), p99: expect.any(Number), slowest: expect.any(Number) });
    expect(times.p50).toBeLessThanOrEqual(times.p99);
    expect(downstream.users().filter(({ active }) => active === false)).toHaveLength(2);
  });

  test("a dead letter is listed with the target's own words, and goes out again when it is told to", async () => {
    downstream.failNext(1, { status: 400, method: "PATCH", detail: "no such department here" });
    world.write(people(6).map((row, index) => (index === 0 ? { ...row, department: "Research" } : row)));
    await world.sync("hr");
    const [letter] = (
      await until(
        () => get("/targets/app/projections?state=dead"),
        ({ items }) => items.length === 1,
      )
    ).items;
    expect(letter).toMatchObject({ subject: "p0", reason: expect.stringContaining("no such department here") });
    expect((await get("/deliveries?state=dead")).items).toMatchObject([
      { projectionId: letter.id, message: expect.stringContaining("no such department here") },
    ]);
    const body = { ids: [letter.id] };
    expect((await world.door.request("POST", "/deliveries/retry", { body }).expect(200)).body).toEqual({ retried: 1 });
    await until(target, ({ dead, waiting, retrying }) => dead + waiting + retrying === 0);
    await world.door.request("POST", "/deliveries/retry", { body }).expect(404);
    expect((await world.door.request("POST", "/deliveries/retry", { body: { target: "app" } }).expect(200)).body).toEqual({ retried: 0 });
  });

  test("what somebody changed there is found and repaired when a comparison is asked for", async () => {
    const user = downstream.users().find(({ userName }) => userName === "p1");
    if (!user) throw new Error("p1 is not there");
    downstream.tamper(user.id, { displayName: "Somebody else", active: false });
    expect((await world.door.request("POST", "/targets/app/reconcile").expect(202)).body).toEqual({ target: "app", queued: true });
    await until(
      () => downstream.users().find(({ id }) => id === user.id)?.["active"],
      (stands) => stands === true,
    );
    expect(await get("/targets/app/drift")).toMatchObject({ items: [{ count: 1 }] });
  });

  test.each([
    ["GET", "/targets/hr/projections", undefined, 409],
    ["GET", "/targets/nobody/projections", undefined, 404],
    ["GET", "/targets/app/projections?state=great", undefined, 422],
    ["GET", "/targets/app/projections?person=p0", undefined, 422],
    ["GET", "/targets/hr/drift", undefined, 409],
    ["POST", "/targets/hr/reconcile", undefined, 409],
    ["POST", "/targets/nobody/reconcile", undefined, 404],
    ["GET", "/deliveries?target=nobody", undefined, 404],
    ["GET", "/deliveries?operation=explode", undefined, 422],
    ["GET", "/deliveries?projection=-1", undefined, 422],
    ["GET", "/deliveries/times?hours=0", undefined, 422],
    ["POST", "/deliveries/retry", {}, 422],
    ["POST", "/deliveries/retry", { ids: [] }, 422],
    ["POST", "/deliveries/retry", { ids: ["1"] }, 422],
    ["POST", "/deliveries/retry", { ids: [1], target: "app" }, 422],
    ["POST", "/deliveries/retry", { target: "hr" }, 409],
    ["POST", "/deliveries/retry", { ids: [999_999] }, 404],
  ])("wrong input: %s %s %j is answered with %d", async (method, at, body, status) => {
    await world.door.request(method, at, { body }).expect(status);
  });
});
