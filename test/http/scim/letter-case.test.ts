import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let another: string;
let made = 0;
beforeAll(async () => {
  door = await openDoor();
  const { rows } = await door.db.pool.query<{ id: number }>(
    "insert into connections (name, connector, mapping) select 'another', connector, mapping from connections where name = 'scim' returning id",
  );
  another = (await door.newToken({ connectionId: rows[0]?.id ?? 0 })).token;
});
afterAll(() => door?.close());

const post = (userName: string, { address, token = door.token }: { address?: string; token?: string } = {}) =>
  door.request("POST", "/Users", {
    token,
    body: { schemas: [USER], userName, ...(address === undefined ? {} : { emails: [{ value: address }] }) },
  });
const patch = (id: string, path: string, value: unknown) =>
  door.request("PATCH", `/Users/${id}`, { body: { schemas: [PATCH], Operations: [{ op: "replace", path, value }] } });

// Lower case makes others of them in JavaScript than in PostgreSQL.
describe.each(["İnan", "ΣΑΣ", "ΑΣ.Β", "STRASSE", "straẞe"])("P1: %s", (word) => {
  test("is one person's login, and whoever takes it too is told so", async () => {
    const { body: holder } = await post(word).expect(201);
    const { body: renamed } = await post(`renamed-${(made += 1)}`).expect(201);
    expect((await post(word).expect(409)).body.scimType).toBe("uniqueness");
    expect((await patch(renamed.id, "userName", word).expect(409)).body.scimType).toBe("uniqueness");
    await patch(holder.id, "title", "Keeper").expect(200);
  });

  test("is one person's address, and stands in the profile of whoever shares it", async () => {
    const address = `${word}@x.test`;
    await post(`first-${(made += 1)}`, { address }).expect(201);
    await post(`second-${made}`, { address }).expect(201);
    const { body: third } = await post(`third-${made}`).expect(201);
    await patch(third.id, "emails", [{ value: address }]).expect(200);
    const { rows } = await door.db.pool.query(
      "select email, attributes->'emails'->0->>'value' as said from people where user_name like '%-' || $1 order by user_name",
      [String(made)],
    );
    expect(rows).toEqual([
      { email: address, said: address },
      { email: null, said: address },
      { email: null, said: address },
    ]);
  });
});

test("M2: a second client's account finds whoever has its login with a Σ at the end", async () => {
  const { body } = await post("ΝΙΚΟΣ").expect(201);
  expect((await post("ΝΙΚΟΣ", { token: another }).expect(201)).body.id).not.toBe(undefined);
  const { rows } = await door.db.pool.query("select count(*)::int as accounts from accounts where person_id = $1", [body.id]);
  expect(rows).toEqual([{ accounts: 2 }]);
});

test("who a filter finds by a value in other letters, a removal takes it from", async () => {
  const { body: created } = await post(`dotted-${(made += 1)}`, { address: "İnci@x.test" }).expect(201);
  const value = "inci@x.test";
  const { body: found } = await door.request("GET", `/Users?filter=${encodeURIComponent(`emails.value eq "${value}"`)}`).expect(200);
  expect(found.Resources.map(({ id }: { id: string }) => id)).toEqual([created.id]);
  const { body: after } = await door
    .request("PATCH", `/Users/${created.id}`, {
      body: { schemas: [PATCH], Operations: [{ op: "remove", path: "emails", value: [{ value }] }] },
    })
    .expect(200);
  expect(after.emails).toBeUndefined();
});
