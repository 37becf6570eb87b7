import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { people, startMachinery, type HrRow, type Machinery } from "./machinery.ts";

const ANY = { "If-Match": "*" };
const CSV = { "Content-Type": "text/csv" };

let world: Machinery;
let own: string;
let delegate: string;
let head: string;
const rows: HrRow[] = people(3);

beforeAll(async () => {
  world = await startMachinery();
  const { door } = world;
  const top = await door.newUnit({ name: "Company", type: "organization" });
  own = await door.newUnit({ name: "Own", parentId: top, code: "OWN" });
  delegate = (await door.newHolder({ role: "rollcall-unit-administrator", unitId: own })).token;
  head = (await door.newHolder({ role: "rollcall-administrator", unitId: top })).token;
  world.write(rows);
  await door.request("POST", "/connections", { body: world.hr("hr") }).expect(201);
  await world.sync("hr");
});
afterAll(() => world?.close());

/** The file brings somebody of this number; what came of the account. */
async function comes(number: string, login: string) {
  rows.push({ number, login });
  world.write(rows);
  expect(await world.sync("hr")).toMatchObject({ state: "done" });
  const { body } = await world.door.request("GET", "/accounts?connection=hr&limit=200").expect(200);
  return body.items.find((account: { nativeId: string }) => account.nativeId === number);
}

async function made(body: object, token: string): Promise<string> {
  return (await world.door.request("POST", "/people", { token, body: { unitIds: [own], ...body } }).expect(201)).body.id;
}

async function imported(lines: string, token: string): Promise<void> {
  const { door } = world;
  const { body } = await door.request("POST", "/people/imports", { token, headers: CSV, body: Buffer.from(lines) }).expect(201);
  await door.request("POST", `/people/imports/${body.id}/apply`, { token, body: { hash: body.hash, reason: "tried" } }).expect(200);
}

describe("M2: nobody waits in the place of somebody who is still to come", () => {
  test("who was made by a unit's administrator is linked by a human alone, and is known from then on", async () => {
    const { door } = world;
    const id = await made({ userName: "waiting", employeeNumber: "2000" }, delegate);
    const account = await comes("2000", "expected");
    expect(account).toMatchObject({ situation: "disputed", personId: null, candidates: [{ id, userName: "waiting" }] });
    await door.request("POST", `/accounts/${account.id}/link`, { token: delegate, body: { personId: id } }).expect(403);
    await door.request("POST", `/accounts/${account.id}/link`, { token: head, body: { personId: id } }).expect(200);
    await world.sync("hr", { mode: "full" });
    expect((await door.request("GET", `/accounts/${account.id}`).expect(200)).body).toMatchObject({ situation: "linked", personId: id });
    const { rows: left } = await door.db.pool.query("select unvouched from people where id = $1", [id]);
    expect(left).toEqual([{ unvouched: [] }]);
  });

  test("who was made by who administers everybody is linked at once", async () => {
    const id = await made({ userName: "welcome", employeeNumber: "2001" }, head);
    expect(await comes("2001", "welcome")).toMatchObject({ situation: "linked", personId: id });
  });

  test("an edit counts as much, until somebody who administers everybody says otherwise", async () => {
    const { door } = world;
    const edit = (id: string, token: string, employeeNumber: string) =>
      door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { employeeNumber } }).expect(200);
    const [first, second] = [
      await made({ userName: "first", employeeNumber: "1" }, head),
      await made({ userName: "second", employeeNumber: "2" }, head),
    ];
    await edit(first, delegate, "2002");
    await edit(second, delegate, "3");
    await edit(second, head, "2003");
    expect(await comes("2002", "of-first")).toMatchObject({ situation: "disputed", candidates: [{ id: first }] });
    expect(await comes("2003", "of-second")).toMatchObject({ situation: "linked", personId: second });
  });

  test("an import is one's own word, for each who comes by it", async () => {
    await imported("userName,employeeNumber,units\nby-file,2005,OWN\nby-edit,,OWN\n", delegate);
    await imported("userName,employeeNumber,units\nwelcome-too,2006,OWN\n", head);
    expect(await comes("2005", "of-file")).toMatchObject({ situation: "disputed", candidates: [{ userName: "by-file" }] });
    expect(await comes("2006", "welcome-too")).toMatchObject({ situation: "linked" });
    await imported("userName,employeeNumber\nby-edit,2007\n", delegate);
    expect(await comes("2007", "of-edit")).toMatchObject({ situation: "disputed", candidates: [{ userName: "by-edit" }] });
  });
});
