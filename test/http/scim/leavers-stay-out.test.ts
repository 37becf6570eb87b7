import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";

let door: Door;
const tokens = { hr: "", app: "" };
beforeAll(async () => {
  door = await openDoor({ trustProxy: true });
  for (const name of ["hr", "app"] as const) {
    const definition = {
      name,
      connector: "scim-inbound",
      limits: { disable: { floor: 100 }, delete: { floor: 100 }, window: { floor: 100 } },
    };
    const { id } = await inTransaction(door.db, testContext(), (work) => addConnection(work, { keyRing, definition }));
    tokens[name] = (await door.newToken({ name, connectionId: id })).token;
  }
});
afterAll(() => door.close());

const at = (name: keyof typeof tokens, method: string, path: string, body?: object) =>
  door.request(method, `/scim/${name}/v2${path}`, { token: tokens[name], body });
const joined = async (userName: string): Promise<string> => (await at("hr", "POST", "/Users", { schemas: [USER], userName })).body.id;
const patch = (name: keyof typeof tokens, id: string, value: object) =>
  at(name, "PATCH", `/Users/${id}`, { Operations: [{ op: "replace", value }] });
const stateOf = async (id: string) =>
  (await door.db.pool.query<{ active: boolean; state: string }>("select active, state from people where id = $1", [id])).rows[0];

describe("Somebody who was let go by the client that brought them, and whom another client writes to", () => {
  test.each([
    ["a PATCH of a title", (id: string) => patch("app", id, { title: "Judge" })],
    ["a PATCH of its own externalId", (id: string) => patch("app", id, { externalId: `app-${id}` })],
    [
      "a PUT that does not say active",
      (id: string) => at("app", "PUT", `/Users/${id}`, { schemas: [USER], userName: "put", title: "Judge" }),
    ],
  ])("is not brought back by %s", async (how, write) => {
    const id = await joined(`gone by ${how}`);
    expect((await at("hr", "DELETE", `/Users/${id}`)).status).toBe(204);
    expect((await at("app", "GET", `/Users/${id}`)).body.active).toBe(false);

    const written = await write(id);
    expect([written.status, written.body.active]).toEqual([200, false]);
    expect((await patch("app", id, { nickName: "Again" })).body).toMatchObject({ nickName: "Again", active: false });
    expect(await stateOf(id)).toEqual({ active: false, state: "deactivated" });

    const back = await patch("app", id, { active: true });
    expect([back.status, back.body.active]).toEqual([200, true]);
    expect(await stateOf(id)).toEqual({ active: true, state: "active" });
  });

  test("stays out when they were switched off first, and deleted after the other client wrote", async () => {
    const id = await joined("off, then deleted");
    await patch("hr", id, { active: false });
    expect((await patch("app", id, { title: "Judge" })).body).toMatchObject({ title: "Judge", active: false });
    expect((await at("hr", "DELETE", `/Users/${id}`)).status).toBe(204);
    expect((await at("app", "GET", `/Users/${id}`)).body.active).toBe(false);
    expect((await stateOf(id))?.active).toBe(false);

    expect((await at("hr", "POST", "/Users", { schemas: [USER], userName: "off, then deleted" })).body).toMatchObject({ id, active: true });
    expect((await at("app", "GET", `/Users/${id}`)).body.active).toBe(true);
  });

  test("comes back with the client that brought them, and with one that makes them", async () => {
    for (const name of ["hr", "app"] as const) {
      const id = await joined(`back in ${name}`);
      await at("hr", "DELETE", `/Users/${id}`);
      if (name === "hr") await patch("app", id, { title: "Judge" });
      const made = await at(name, "POST", "/Users", { schemas: [USER], userName: `back in ${name}` });
      expect(made.body).toMatchObject({ id, active: true });
      expect((await stateOf(id))?.active).toBe(true);
    }
  });

  test("stays when the other client wrote while they were active", async () => {
    const id = await joined("stays");
    await patch("app", id, { title: "Judge" });
    expect((await at("hr", "DELETE", `/Users/${id}`)).status).toBe(204);
    expect((await at("app", "GET", `/Users/${id}`)).body).toMatchObject({ title: "Judge", active: true });
  });
});
