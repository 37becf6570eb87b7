import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "top" });
});
afterAll(() => door?.close());

describe("export", () => {
  test("P5, W1: a person gets everything that is known of them, what is sealed opened, no hash of a secret", async () => {
    const { body: made } = await door
      .request("POST", "/people", { body: { userName: "ada", title: "Clerk", unitIds: [top], reason: "hired" } })
      .expect(201);
    const token = await door.newToken({ personId: made.id, name: "laptop" });
    await door.request("PATCH", `/people/${made.id}`, { headers: { "If-Match": "*" }, body: { title: "Countess" } }).expect(200);
    await door.request("PATCH", `/people/${made.id}`, { headers: { "If-Match": "*" }, body: { nickName: "A" }, token }).expect(200);
    await door.request("POST", "/factor-requirements", { body: { kind: "person", subjectId: made.id, reason: "travels" } }).expect(201);
    const answer = await door.request("GET", `/people/${made.id}/export`, { token }).expect(200);
    expect(answer.headers["content-disposition"]).toContain("attachment");
    const { body } = answer;
    expect(body).toMatchObject({
      personId: made.id,
      profile: { userName: "ada", attributes: { title: "Countess" } },
      units: [{ unit: "Company", to: null }],
      lifecycle: [{ state: "active", reason: "hired" }],
      tokens: [{ name: "laptop", scope: "api" }],
      grants: [],
      factorRequirements: [{ reason: "travels" }],
      photos: [],
      eventsBy: [],
    });
    const updates = body.eventsAbout.filter(
      ({ name, data }: { name: string; data: { changed?: string[] } }) => name === "person.updated" && data.changed?.includes("title"),
    );
    expect(updates).toMatchObject([{ personal: { before: { title: "Clerk" }, after: { title: "Countess" } } }]);
    const { rows } = await door.db.pool.query<{ hash: string }>("select encode(hash, 'hex') as hash from tokens where person_id = $1", [
      made.id,
    ]);
    expect(answer.text).not.toContain(rows[0]?.hash ?? "nothing");
    expect(answer.text).not.toContain(token);
    const again = await door.request("GET", `/people/${made.id}/export`).expect(200);
    expect(again.body.eventsAbout.map(({ name }: { name: string }) => name)).toContain("person.exported");
  });

  test("P5: of others, only to whoever may export people there", async () => {
    const id = await door.newPerson({ unitId: top });
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: top });
    await door.request("GET", `/people/${id}/export`, { token }).expect(403);
    const other = await door.newToken({ personId: await door.newPerson() });
    await door.request("GET", `/people/${id}/export`, { token: other }).expect(404);
    const admin = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await door.request("GET", `/people/${id}/export`, { token: admin.token }).expect(200);
  });

  test("the trail is read in pages, all of it", async () => {
    const id = await door.newPerson({ unitId: top });
    await door.db.pool.query(
      "insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id) select now(), 'person.linked', 'system', 'person', $1, 'x' from generate_series(1, 1203)",
      [id],
    );
    const { body } = await door.request("GET", `/people/${id}/export`).expect(200);
    expect(body.eventsAbout.filter(({ name }: { name: string }) => name === "person.linked")).toHaveLength(1203);
  });
});
