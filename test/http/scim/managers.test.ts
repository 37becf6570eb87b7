import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { clientOf, ENTERPRISE, PATCH_OP, type Client } from "./dialects/client.ts";
import { openDoor, type Door } from "./door.ts";

let door: Door;
let client: Client;
beforeAll(async () => {
  door = await openDoor();
  client = await clientOf(door, { name: "hr" });
});
afterAll(() => door.close());

async function managerOf(id: string): Promise<string | null> {
  const { rows } = await door.db.pool.query<{ manager: string | null }>("select manager_id as manager from people where id = $1", [id]);
  return rows[0]?.manager ?? null;
}

const waiting = async () => (await door.db.pool.query("select 1 from pending_references where kind = 'manager'")).rowCount;

test("M1: a manager is found by an id in capitals, as a store of GUIDs may print it", async () => {
  const chief = await client.person("chief");
  const manager = { value: chief.toUpperCase() };
  const newcomer = await client.person("newcomer", { [ENTERPRISE]: { manager } });
  // Who comes in switched off is taken in the general way.
  const away = await client.person("away", { active: false, [ENTERPRISE]: { manager } });
  const changed = await client.person("changed");
  await client
    .send("PATCH", `/Users/${changed}`, {
      schemas: [PATCH_OP],
      Operations: [{ op: "replace", path: `${ENTERPRISE}:manager`, value: manager }],
    })
    .expect(200);

  expect(await Promise.all([newcomer, away, changed].map(managerOf))).toEqual([chief, chief, chief]);
  expect(await waiting()).toBe(0);
});
