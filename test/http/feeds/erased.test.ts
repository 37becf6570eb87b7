import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConnection } from "../../../src/connections/open.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { receiveUpload } from "../../../src/connections/upload-receive.ts";
import { storeUpload } from "../../../src/connections/uploads.ts";
import { runSync } from "../../../src/sync/run.ts";
import { testContext } from "../../helpers/database.ts";
import { openApi, type ApiDoor } from "../api/api-door.ts";
import { keyRing } from "../scim/door.ts";

let door: ApiDoor;
beforeAll(async () => {
  door = await openApi();
});
afterAll(() => door?.close());

const feed = (...people: string[]) => ["id,login,state", ...people, `END,${people.length}`, ""].join("\n");

async function connection(name: string): Promise<number> {
  const definition = {
    name,
    connector: "csv",
    settings: { idColumn: "id", trailer: "END", upload: { keep: 3 } },
    mapping: { user: { attributes: { userName: "account.login", active: "account.state == 'here'" } } },
  };
  return (await door.work((work) => addConnection(work, { definition, keyRing }))).id;
}

async function handIn(name: string, id: number, text: string): Promise<void> {
  async function* input() {
    yield Buffer.from(text);
  }
  const received = await receiveUpload(input(), { maxBytes: 1_000_000 });
  await door.work((work) => storeUpload(work, { connection: { id, name }, keyRing, received, keep: 3 }));
  await received.close();
}

const sync = (connectionId: number) =>
  runSync(testContext(), { db: door.db, keyRing, connection: connectionId, mode: "full", trigger: "cli" });

async function kept(name: string): Promise<string[]> {
  const { rows } = await door.db.pool.query<{ file: string }>(
    "select file from uploads u join connections c on c.id = u.connection_id where c.name = $1 order by received_at",
    [name],
  );
  return rows.map(({ file }) => file);
}

async function lastOf(name: string): Promise<string> {
  const last = await (await loadConnection(door.db.pool, keyRing, name)).uploads?.last();
  const chunks: Buffer[] = [];
  for await (const chunk of last?.chunks() ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function idOf(userName: string): Promise<string> {
  const { rows } = await door.db.pool.query<{ id: string }>("select id from people where user_name = $1", [userName]);
  return rows[0]?.id ?? "";
}

const remove = (id: string, confirm: string) =>
  door.request("DELETE", `/people/${id}?${new URLSearchParams({ confirm, force: "true", reason: "asked for it" }).toString()}`);

test("P5: who is deleted for good is in no file that was handed in, does not come back with the last one, and nobody else leaves for that", async () => {
  const id = await connection("hr");
  await handIn("hr", id, feed("1,ada,here", "2,alan,here"));
  await sync(id);
  await handIn("hr", id, feed("1,ada,left", "2,alan,here", "3,grace,here"));
  await sync(id);
  const before = await kept("hr");
  const ada = await idOf("ada");

  await remove(ada, "not-ada").expect(422);
  expect(await kept("hr")).toEqual(before);
  await remove(ada, "ada").expect(200);

  expect(await kept("hr")).toEqual(before.slice(-1));
  expect(await lastOf("hr")).toContain("alan");
  expect(await lastOf("hr")).not.toContain("ada");
  await sync(id);
  const { rows } = await door.db.pool.query("select user_name, state from people where state <> 'deleted' order by 1");
  expect(rows).toEqual([
    { user_name: "alan", state: "active" },
    { user_name: "grace", state: "active" },
  ]);
});

test("P5: a file that can't be read any more goes whole, and does not keep anybody from being deleted", async () => {
  const id = await connection("payroll");
  for (const state of ["here", "left"]) {
    await handIn("payroll", id, feed(`7,eve,${state}`, "8,mallory,here"));
    await sync(id);
  }
  await handIn("payroll", id, `id,login,state\n"7,eve,${randomBytes(8).toString("hex")}`);
  await remove(await idOf("eve"), "eve").expect(200);
  expect(await kept("payroll")).toEqual([]);
});
