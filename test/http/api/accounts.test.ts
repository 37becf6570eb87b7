import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { people, startMachinery, type Machinery } from "./machinery.ts";

let world: Machinery;
beforeAll(async () => {
  world = await startMachinery();
  world.write(people(6));
  const { door } = world;
  await door.request("POST", "/connections", { body: world.hr("first") }).expect(201);
  await world.sync("first");
  const mapping = {
    user: { attributes: { userName: "account.login", department: "account.department" } },
    situations: { unlinked: "dispute" },
  };
  await door.request("POST", "/connections", { body: world.hr("second", { mapping, precedence: 200 }) }).expect(201);
  await world.sync("second");
});
afterAll(() => world?.close());

const list = async (query: string) => (await world.door.request("GET", `/accounts?${query}`).expect(200)).body.items;

describe("M2: accounts by API", () => {
  test("found by connection, situation and person, page by page", async () => {
    expect(await list("connection=first&situation=linked")).toHaveLength(6);
    const disputed = await list("situation=disputed");
    expect(disputed).toHaveLength(6);
    expect(disputed[0]).toMatchObject({
      connection: "second",
      kind: "user",
      personId: null,
      candidates: [{ userName: expect.stringMatching(/^p\d$/) }],
    });
    const [linked] = await list("connection=first&limit=1");
    expect(await list(`person=${linked.personId}`)).toMatchObject([{ id: linked.id, linkedBy: "create" }]);
    const page = await world.door.request("GET", "/accounts?limit=5").expect(200);
    const rest = await world.door.request("GET", `/accounts?limit=200&cursor=${page.body.next}`).expect(200);
    expect(rest.body.items).toHaveLength(7);
    expect((await world.door.request("GET", "/connections/second").expect(200)).body).toMatchObject({ disputed: 6, people: 0 });
  });

  test("a human settles a dispute, and later runs keep to it", async () => {
    const { door } = world;
    const [first, second] = await list("situation=disputed");
    const personId = first.candidates[0].id;
    const settled = await door.request("POST", `/accounts/${first.id}/link`, { body: { personId } }).expect(200);
    expect(settled.body).toMatchObject({ situation: "linked", linkedBy: "human", personId, candidates: [] });
    await door.request("POST", `/accounts/${first.id}/link`, { body: { personId } }).expect(409);
    // The login is somebody else's already, so that no person can be made of it.
    await door.request("POST", `/accounts/${second.id}/link`, { body: { create: true } }).expect(409);
    await world.sync("second", { mode: "full" });
    expect(await list(`person=${personId}&connection=second`)).toMatchObject([{ id: first.id, linkedBy: "human" }]);
    expect(await list("situation=disputed")).toHaveLength(5);
    const { rows } = await door.db.pool.query("select actor, data ->> 'choice' as choice from audit_events where name = 'account.settled'");
    expect(rows).toEqual([{ actor: "token:test", choice: personId }]);
  });

  test.each([
    ["GET", "/accounts/none", undefined, 422],
    ["GET", "/accounts/999999", undefined, 404],
    ["GET", "/accounts?situation=odd", undefined, 422],
    ["GET", "/accounts?person=somebody", undefined, 422],
    ["GET", "/accounts?kind=robot", undefined, 422],
    ["POST", "/accounts/999999/link", { create: true }, 404],
    ["POST", "/accounts/1/link", {}, 422],
    ["POST", "/accounts/1/link", { create: false }, 422],
    ["POST", "/accounts/1/link", { personId: "p0" }, 422],
    ["POST", "/accounts/7/link", { personId: "00000000-0000-4000-8000-000000000000" }, 409],
    ["POST", "/accounts/8/link", { personId: "00000000-0000-4000-8000-000000000000" }, 404],
  ])("wrong input: %s %s %j is answered with %d", async (method, at, body, status) => {
    await world.door.request(method, at, { body }).expect(status);
  });
});
