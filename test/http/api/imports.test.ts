import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { addCustomAttribute } from "../../../src/directory/custom-attributes.ts";
import { forgetImports } from "../../../src/sync/import-store.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let sales: string;
let other: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "top" });
  sales = await door.newUnit({ name: "Sales", parentId: top, code: "sales" });
  await door.newUnit({ name: "Support", parentId: top, code: "support" });
  other = await door.newUnit({ name: "Other", type: "organization", code: "other" });
  await door.work((work) => addCustomAttribute(work, { key: "badge", type: "number" }));
  await door.work((work) => addCustomAttribute(work, { key: "since", type: "date" }));
  await door.work((work) => addCustomAttribute(work, { key: "skills", type: "choice", multiple: true, choices: ["first aid", "driving"] }));
});
afterAll(() => door?.close());

const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`;
const headers = { "Content-Type": "text/csv" };
const upload = (file: string | Buffer, token?: string) =>
  door.request("POST", "/people/imports", { body: Buffer.from(file), headers, ...(token === undefined ? {} : { token }) });
const apply = (made: { id: string; hash: string }, token?: string) =>
  door.request("POST", `/people/imports/${made.id}/apply`, {
    body: { hash: made.hash, reason: "new year" },
    ...(token === undefined ? {} : { token }),
  });
const rowsOf = async (id: string, query = "") => (await door.request("GET", `/people/imports/${id}/rows${query}`).expect(200)).body.items;
const person = async (userName: string) => {
  const { body } = await door.request("GET", `/people?q=${userName}`).expect(200);
  return (await door.request("GET", `/people/${body.items[0].id}`).expect(200)).body;
};
const people = async () => (await door.db.pool.query("select count(*)::int as count, sum(version)::int as versions from people")).rows[0];

describe("imports of people", () => {
  test.each(["İnan", "ΝΙΚΟΣ"])("P4: %s is the same one in a file that is brought again, and may be named as a manager", async (word) => {
    const file = ["userName,units,manager", `${word},top,`, `${unique("led")},top,${word}`].join("\n");
    const { body: first } = await upload(file).expect(201);
    expect(first.counts).toMatchObject({ create: 2, errors: 0 });
    await apply(first).expect(200);
    const { body: again } = await upload(file).expect(201);
    expect(again.counts).toMatchObject({ create: 0, unchanged: 2, errors: 0 });
  });

  test("P4, P2: a preview changes nobody; applied, everybody is made and changed, with managers, units and own attributes", async () => {
    const [boss, ada, bob] = [unique("boss"), unique("ada"), unique("bob")];
    const made = await door.request("POST", "/people", {
      body: {
        userName: bob,
        emails: [{ value: `${bob}@example.com`, primary: true }, { value: `${bob}@home.example` }],
        phoneNumbers: [{ value: "+4511111111", type: "work" }],
        title: "Clerk",
        unitIds: [sales],
      },
    });
    const before = await people();
    const file = [
      "userName,givenName,familyName,email,mobile,title,manager,units,language,custom.badge,custom.since,custom.skills",
      `${ada},Ada,"Byron, Lady",${ada}@example.com,+45 22222222,Engineer,${boss},sales|support,da,7,2027-01-31,first aid|driving`,
      "",
      `${bob.toUpperCase()},,,${bob}@new.example,+45 33333333,,${ada},support,,,,`,
      `${boss},The,Boss,,,,,top,,,,`,
    ].join("\r\n");
    const { body: preview } = await upload(file).expect(201);
    expect(preview).toMatchObject({ state: "previewed", counts: { create: 2, update: 1, unchanged: 0, errors: 0 }, encoding: "utf-8" });
    expect(await people()).toEqual(before);
    const rows = await rowsOf(preview.id);
    expect(rows.map(({ line, action }: { line: number; action: string }) => [line, action])).toEqual([
      [2, "create"],
      [4, "update"],
      [5, "create"],
    ]);
    expect(rows[1].personId).toBe(made.body.id);
    expect(rows[1].changes.map(({ field }: { field: string }) => field).sort()).toEqual(["emails", "manager", "phoneNumbers"]);
    const { body: applied } = await apply(preview).expect(200);
    expect(applied).toMatchObject({ state: "applied", reason: "new year", version: 2 });
    const made1 = await person(ada);
    expect(made1).toMatchObject({
      displayName: "Ada Byron, Lady",
      preferredLanguage: "da",
      state: "active",
      origin: null,
      custom: { badge: 7, since: expect.stringMatching(/^2027-01-31/), skills: ["first aid", "driving"] },
    });
    expect(made1.units.map(({ code }: { code: string }) => code).sort()).toEqual(["sales", "support"]);
    expect(made1.manager.id).toBe((await person(boss)).id);
    const changed = await person(bob);
    expect(changed).toMatchObject({ userName: bob, title: "Clerk", email: `${bob}@new.example`, manager: { id: made1.id } });
    expect(changed.emails.map(({ value }: { value: string }) => value)).toEqual([`${bob}@new.example`, `${bob}@home.example`]);
    expect(changed.phoneNumbers).toHaveLength(2);
    expect(changed.units.map(({ code }: { code: string }) => code)).toEqual(["support"]);
    await apply(preview).expect(409);
    await door.request("DELETE", `/people/imports/${preview.id}`).expect(409);
    const after = await rowsOf(preview.id, "?action=update");
    expect(after[0].changes).toContainEqual({ field: "manager", before: null, after: made1.id });
    const again = await upload(file).expect(201);
    expect(again.body.counts).toEqual({ create: 0, update: 0, unchanged: 3, errors: 0 });
  });

  test("P4: what is wrong is told by line and column, and nothing of such a file is applied", async () => {
    const [known, shared] = [unique("known"), unique("shared")];
    await door.request("POST", "/people", { body: { userName: known, emails: [{ value: `${known}@example.com` }] } }).expect(201);
    const before = await people();
    const file = [
      "userName;email;employeeNumber;language;state;manager;units;custom.badge",
      `${unique("a")};no address;;;;;;`,
      `${unique("b")};;;not a language!;;;;`,
      `${unique("c")};;;;gone;;;`,
      `${unique("d")};;;;;nobody;;`,
      `${unique("e")};;;;;;nowhere;`,
      `${unique("f")};;;;;;;many`,
      `${shared};;;;;;;`,
      `${shared.toUpperCase()};;;;;;;`,
      `${unique("g")};${known}@example.com;;;;;;`,
      `;;77;;;;;`,
      `${unique("h")};;;;;;;;more`,
      `${unique("i")};;;;;;;1`,
      `${unique("self")};;;;;SELF;;`,
    ]
      .join("\n")
      .replace("SELF", "nobody");
    const { body } = await upload(file).expect(201);
    expect(body.counts).toEqual({ create: 1, update: 0, unchanged: 0, errors: 12 });
    const rows: { line: number; problems: { field: string; message: string }[] }[] = await rowsOf(body.id, "?action=error");
    expect(rows.map(({ line, problems }) => [line, problems[0]?.field])).toEqual([
      [2, "email"],
      [3, "language"],
      [4, "state"],
      [5, "manager"],
      [6, "units"],
      [7, "custom.badge"],
      [8, "userName"],
      [9, "userName"],
      [10, "userName"],
      [11, "userName"],
      [12, "column 9"],
      [14, "manager"],
    ]);
    await apply(body).expect(409);
    expect(await people()).toEqual(before);
    for (const bad of ["", "userName,nonsense\n", "title\nx\n", 'userName\n"open', "userName,userName\na,b\n", Buffer.from([0, 1, 2])])
      await upload(bad as string).expect(422);
    await door
      .request("POST", "/people/imports", { body: Buffer.from("userName\n"), headers: { "Content-Type": "application/json" } })
      .expect(415);
  });

  test("P4, invariant 2: a preview is refused whole when anything that it was decided by has moved", async () => {
    const [known, fresh] = [unique("known"), unique("fresh")];
    const made = await door.request("POST", "/people", { body: { userName: known, title: "Old" } }).expect(201);
    const file = `userName,title\n${known},New\n${fresh},New\n`;
    const first = await upload(file).expect(201);
    await apply({ ...first.body, hash: "0".repeat(64) }).expect(409);
    await door.request("PATCH", `/people/${made.body.id}`, { headers: { "If-Match": "*" }, body: { nickName: "K" } }).expect(200);
    await apply(first.body).expect(409);
    const second = await upload(file).expect(201);
    await door.request("POST", "/people", { body: { userName: fresh } }).expect(201);
    await apply(second.body).expect(409);
    expect(await person(known)).toMatchObject({ title: "Old" });
    const third = await upload(file).expect(201);
    expect(third.body.counts).toMatchObject({ create: 0, update: 2 });
    const both = await Promise.all([apply(third.body), apply(third.body)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await person(fresh)).toMatchObject({ title: "New" });
    await door.request("DELETE", `/people/imports/${first.body.id}`).expect(204);
    await door.request("GET", `/people/imports/${first.body.id}`).expect(404);
  });

  test("P4: an administrator of a unit imports into it alone, sees their own imports, and learns nothing of others", async () => {
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
    const hidden = unique("hidden");
    await door.newPerson({ userName: hidden, unitId: other });
    const file = `userName,units,manager\n${unique("x")},sales,\n${unique("y")},other,\n${unique("z")},,\n${hidden},,\n${unique("w")},sales,${hidden}\n`;
    const { body } = await upload(file, token).expect(201);
    expect(body.counts).toEqual({ create: 1, update: 0, unchanged: 0, errors: 4 });
    const ok = await upload(`userName,units\n${unique("x")},SALES\n`, token).expect(201);
    await apply(ok.body, token).expect(200);
    const another = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
    await door.request("GET", `/people/imports/${ok.body.id}`, { token: another.token }).expect(404);
    const list = await door.request("GET", "/people/imports?limit=1", { token }).expect(200);
    expect(list.body).toMatchObject({ items: [{ id: ok.body.id }], next: expect.any(String) });
    const next = await door.request("GET", `/people/imports?limit=1&cursor=${list.body.next}`, { token }).expect(200);
    expect(next.body.items).toMatchObject([{ id: body.id }]);
    const { token: nobody } = await door.newHolder({ role: "rollcall-help-desk", unitId: sales });
    await upload(`userName\n${unique("x")}\n`, nobody).expect(403);
  });

  test("P4: the template has every column; files of spreadsheets are read in their encodings", async () => {
    const { text } = await door.request("GET", "/people/imports/template").expect(200);
    expect(text).toMatch(/^\ufeffuserName,email,.*,custom\.badge,custom\.since,custom\.skills\r\n$/);
    for (const encoding of ["utf-8", "utf-16le", "windows-1252"]) {
      const userName = unique("enc");
      const lines = `userName\ttitle\n${userName}\tSjöfart\n`;
      const bytes =
        encoding === "utf-16le" ? Buffer.from(`\ufeff${lines}`, "utf16le") : Buffer.from(lines, encoding === "utf-8" ? "utf8" : "latin1");
      const { body } = await upload(bytes).expect(201);
      expect(body).toMatchObject({ encoding, counts: { create: 1, errors: 0 } });
      await apply(body).expect(200);
      expect(await person(userName)).toMatchObject({ title: "Sjöfart" });
    }
  });

  test("P4: what windows-1252 has beyond ISO 8859-1 is read as what it is", async () => {
    const begins = Buffer.from("userName,displayName\r\nwindows,", "latin1");
    const name = Buffer.from([0x8a, 0x6b, 0x6f, 0x64, 0x61, 0x20, 0x4f, 0x92, 0x42, 0x72, 0x69, 0x65, 0x6e, 0x20, 0x80, 0xe9]);
    const { body: made } = await upload(Buffer.concat([begins, name])).expect(201);
    expect(made).toMatchObject({ encoding: "windows-1252", counts: { create: 1, errors: 0 } });
    expect((await rowsOf(made.id))[0].changes).toContainEqual({ field: "displayName", before: null, after: "Škoda O’Brien €é" });
  });

  test("P4, W1: thousands of rows are one change, each in the trail, and values are forgotten in time", async () => {
    const batch = unique("batch");
    const names = Array.from({ length: 2500 }, (_, index) => `${batch}-${index}`);
    const file = `userName,email,units\n${names.map((name) => `${name},${name}@example.com,sales`).join("\n")}\n`;
    const { body } = await upload(file).expect(201);
    await apply(body).expect(200);
    const { rows } = await door.db.pool.query(
      `select count(*)::int as people, (select count(*)::int from person_units pu join people q on q.id = pu.person_id where q.user_name like $1) as units,
         (select count(*)::int from audit_events e join people q on q.id::text = e.subject_id where e.name = 'person.joined' and e.reason = 'new year' and q.user_name like $1) as events
       from people where user_name like $1`,
      [`${batch}%`],
    );
    expect(rows[0]).toEqual({ people: 2500, units: 2500, events: 2500 });
    const raw = await door.db.pool.query<{ content: string }>("select content from people_import_rows where import_id = $1", [body.id]);
    expect(raw.rows.every(({ content }) => !content.includes(batch))).toBe(true);
    const waiting = await upload(`userName\n${unique("x")}\n`).expect(201);
    door.clock.forward(31 * 86_400_000);
    await door.work(forgetImports);
    expect((await rowsOf(body.id))[0].changes).toBeNull();
    await door.request("GET", `/people/imports/${waiting.body.id}`).expect(404);
  });
});
