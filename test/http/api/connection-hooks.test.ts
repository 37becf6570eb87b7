import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { addConnection } from "../../../src/connections/store.ts";
import { newHookSecret } from "../../../src/connections/hooks/secret.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let id: number;
beforeAll(async () => {
  door = await openApi();
  const settings = { tenant: "example.com", clientId: "6f1d5d3a-8f7e-4b52-9a0c-3c5d2b1e4f61", clientSecret: "hush" };
  const add = (definition: unknown) => door.work((work) => addConnection(work, { definition, keyRing }));
  ({ id } = await add({ name: "cloud", connector: "entra", settings, policy: { notifications: { enabled: true } } }));
  await add({ name: "quiet", connector: "entra", settings });
  await add({ name: "files", connector: "csv", settings: { file: "/tmp/people.csv", idColumn: "number" } });
});
afterAll(() => door?.close());

const waiting = async () =>
  (await door.db.pool.query<{ key: string }>("select key from graphile_worker.jobs where task_identifier = 'keep_hooks'")).rows;

test("change notifications are looked at, and their secret is renewed, by API; the secret itself never comes out", async () => {
  await door.db.pool.query("delete from graphile_worker._private_jobs");
  const none = await door.request("GET", "/connections/cloud/hooks").expect(200);
  expect(none.body).toMatchObject({ state: "enabled", secret: "not set", madeBy: "rollcall", subscriptions: [], notifications: 0 });
  const sealed = newHookSecret("cloud", keyRing);
  const subscription = { id: "1", about: "users", address: "https://here.test/hooks/cloud", expiresAt: "2027-01-01T00:00:00.000Z" };
  await door.db.pool.query("insert into hooks (connection_id, secret, address, subscriptions) values ($1, $2, $3, $4)", [
    id,
    sealed,
    subscription.address,
    JSON.stringify([subscription]),
  ]);
  const seen = await door.request("GET", "/connections/cloud/hooks").expect(200);
  expect(seen.body).toMatchObject({ secret: "set", address: subscription.address });
  expect(seen.body.subscriptions).toEqual([{ about: "users", address: subscription.address, expiresAt: subscription.expiresAt }]);
  expect(await waiting()).toEqual([]);

  const renewed = await door.request("POST", "/connections/cloud/hooks/renew").expect(202);
  expect(renewed.body.secret).toBe("set, another is to take its place");
  expect(await waiting()).toEqual([{ key: `keep_hooks:${id}` }]);
  const { rows } = await door.db.pool.query<{ secret: string; next_secret: string }>("select secret, next_secret from hooks");
  expect(rows).toEqual([{ secret: sealed, next_secret: expect.stringMatching(/^v1\./) }]);
  expect(renewed.text).not.toContain(String(rows[0]?.next_secret));
  await door.request("POST", "/connections/cloud/hooks/renew").expect(202);
  expect((await door.db.pool.query("select secret, next_secret from hooks")).rows).toEqual(rows);
});

test.each([
  ["GET", "/connections/nobody/hooks", 404],
  ["GET", "/connections/files/hooks", 422],
  ["POST", "/connections/nobody/hooks/renew", 404],
  ["POST", "/connections/files/hooks/renew", 422],
  ["POST", "/connections/quiet/hooks/renew", 409],
])("%s %s is answered with %d", async (method, at, status) => {
  await door.request(method, at).expect(status);
});
