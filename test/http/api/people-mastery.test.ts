import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConnection } from "../../../src/connections/open.ts";
import type { AttributeObject } from "../../../connectors/contract.ts";
import { syncOne } from "../../../src/sync/one.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
beforeAll(async () => {
  door = await openApi();
});
afterAll(() => door?.close());

const any = { "If-Match": "*" };
const patch = (id: string, body: unknown) => door.request("PATCH", `/people/${id}`, { headers: any, body });
const read = async (id: string) => (await door.request("GET", `/people/${id}`).expect(200)).body;

/** An HR feed of its own, whose word on titles comes after edits made here. */
async function newFeed(): Promise<{ name: string; say: (resource: AttributeObject, id?: string) => Promise<string> }> {
  const name = `hr-${randomUUID().slice(0, 8)}`;
  const mapping = {
    user: {
      attributes: {
        userName: "account.userName",
        externalId: "account.externalId",
        "name.givenName": "account.givenName",
        "name.familyName": "account.familyName",
        title: { value: "account.title", precedence: 2000 },
        nickName: "account.nickName",
        manager: "account.manager",
      },
    },
    match: ["userName"],
    situations: { unmatched: "create", unlinked: "link", deleted: "deactivate" },
  };
  const { rows } = await door.db.pool.query<{ id: number }>(
    "insert into connections (name, connector, settings, mapping) values ($1, 'scim-inbound', '{}', $2) returning id",
    [name, JSON.stringify(mapping)],
  );
  const connectionId = rows[0]?.id ?? 0;
  return {
    name,
    say: (resource, id) =>
      door.work(async (work) => {
        const connection = await loadConnection(work.sql, keyRing, connectionId);
        const record = { kind: "user" as const, resource, ...(id === undefined ? {} : { id }) };
        return (await syncOne(work, { connection, keyRing, record })).id;
      }),
  };
}

const unsaid = { externalId: "", nickName: "", title: "", manager: "" };

describe("invariant 9: edits made here, and origins", () => {
  test("P1, P6: what an origin masters is refused naming it; what no origin gives is kept through its next record", async () => {
    const { name, say } = await newFeed();
    const resource = { ...unsaid, userName: `mary-${randomUUID()}`, givenName: "Mary", familyName: "Major" };
    const id = await say(resource);
    const refused = await patch(id, { name: { familyName: "Minor" }, nickName: "Mo" }).expect(409);
    expect(refused.body).toMatchObject({ code: "conflict", field: "name.familyName" });
    expect(refused.body.detail).toContain(name);
    expect(await read(id)).toMatchObject({ nickName: null, name: { familyName: "Major" } });
    await patch(id, { nickName: "Mo", phoneNumbers: [{ value: "555-0100" }] }).expect(200);
    await say({ ...resource, familyName: "Maior" }, id);
    const after = await read(id);
    expect(after).toMatchObject({ nickName: "Mo", name: { familyName: "Maior" }, phoneNumbers: [{ value: "555-0100" }], origin: name });
    expect(after.mastery).toMatchObject({ userName: name, "name.familyName": name });
    expect(after.mastery).not.toHaveProperty("nickName");
  });

  test("where the mapping puts the origin's word behind, an edit here wins; emptied, it gives the attribute back", async () => {
    const { name, say } = await newFeed();
    const resource = { ...unsaid, userName: `max-${randomUUID()}`, givenName: "Max", familyName: "Muster", title: "Clerk" };
    const id = await say(resource);
    await patch(id, { title: "Chief" }).expect(200);
    await say({ ...resource, title: "Senior clerk" }, id);
    expect(await read(id)).toMatchObject({ title: "Chief" });
    await patch(id, { title: null }).expect(200);
    const after = await read(id);
    expect(after).toMatchObject({ title: "Senior clerk", mastery: { title: name } });
    // There is nothing of ours left that could be emptied.
    await patch(id, { title: null }).expect(409);
  });

  test("an edit that an origin overrides later is not lost: it is shown as overridden, and comes back when the origin says nothing", async () => {
    const { say } = await newFeed();
    const resource = { ...unsaid, userName: `zoe-${randomUUID()}`, givenName: "Zoe", familyName: "Zander" };
    const id = await say(resource);
    await patch(id, { nickName: "Zo" }).expect(200);
    await say({ ...resource, nickName: "Zizi" }, id);
    expect(await read(id)).toMatchObject({ nickName: "Zizi", overridden: ["nickName"] });
    await say(resource, id);
    expect(await read(id)).toMatchObject({ nickName: "Zo", overridden: [] });
  });

  test("a local person whom an origin lists later keeps what the origin does not give", async () => {
    const { name, say } = await newFeed();
    const userName = `lee-${randomUUID()}`;
    const { body: made } = await door
      .request("POST", "/people", { body: { userName, title: "Guest", nickName: "L", emails: [{ value: `${userName}@example.com` }] } })
      .expect(201);
    const id = await say({ ...unsaid, userName, givenName: "Lee", familyName: "Lin", nickName: "Leeroy" });
    expect(id).toBe(made.id);
    const after = await read(id);
    expect(after).toMatchObject({
      nickName: "Leeroy",
      title: "Guest",
      email: `${userName}@example.com`,
      name: { givenName: "Lee" },
      origin: name,
    });
    expect(after.overridden).toContain("nickName");
  });

  test("a manager set here and one that an origin names", async () => {
    const { say } = await newFeed();
    const boss = await door.newPerson();
    const other = await door.newPerson();
    const resource = { ...unsaid, userName: `ben-${randomUUID()}`, givenName: "Ben", familyName: "Berg" };
    const id = await say(resource);
    await patch(id, { managerId: boss }).expect(200);
    await say({ ...resource, familyName: "Bergen" }, id);
    expect((await read(id)).manager).toMatchObject({ id: boss });
    await say({ ...resource, manager: other }, id);
    expect((await read(id)).manager).toMatchObject({ id: other });
    await patch(id, { managerId: boss }).expect(409);
    await say(resource, id);
    expect((await read(id)).manager).toMatchObject({ id: boss });
    await patch(id, { managerId: null }).expect(200);
    expect((await read(id)).manager).toBeNull();
  });

  test("whom no origin lists any more stays as they were, edits included", async () => {
    const { say } = await newFeed();
    const resource = { ...unsaid, userName: `pat-${randomUUID()}`, givenName: "Pat", familyName: "Poe" };
    const id = await say(resource);
    await door.db.pool.query("update accounts set gone_at = now(), situation = 'deleted' where person_id = $1", [id]);
    await patch(id, { title: "Alumna" }).expect(200);
    await patch(id, { nickName: "P" }).expect(200);
    expect(await read(id)).toMatchObject({
      userName: resource.userName,
      name: { givenName: "Pat", familyName: "Poe" },
      title: "Alumna",
      nickName: "P",
    });
  });

  test("a unit that an origin puts somebody into is left to it", async () => {
    const { name } = await newFeed();
    const [given, chosen] = [await door.newUnit(), await door.newUnit()];
    const id = await door.newPerson();
    await door.db.pool.query(
      "insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from) select $1, $2, id, now(), now() from connections where name = $3",
      [id, given, name],
    );
    const put = (unitIds: string[]) => door.request("PUT", `/people/${id}/units`, { headers: any, body: { unitIds } });
    const refused = await put([chosen]).expect(409);
    expect(refused.body.detail).toContain(name);
    const { body } = await put([given, chosen]).expect(200);
    expect(body.units).toHaveLength(2);
    expect((await put([given]).expect(200)).body.units).toMatchObject([{ id: given, origins: [name], local: false }]);
    const { rows } = await door.db.pool.query("select from person_units where person_id = $1 and unit_id = $2 and valid_to is not null", [
      id,
      chosen,
    ]);
    expect(rows).toHaveLength(1);
  });
});
