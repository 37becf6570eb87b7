import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../../src/db/database.ts";
import { addCustomAttribute } from "../../../src/directory/custom-attributes.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const CUSTOM = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let ann: string;
let bob: string;
let token: string;
const values = { grade: "G7", allergy: "nuts", desk: "4-12", shirt: "L" };
beforeAll(async () => {
  door = await openDoor();
  for (const attribute of [
    { key: "grade", type: "string", visibleTo: "admin", editableBy: "admin", required: true },
    { key: "allergy", type: "string", visibleTo: "self", editableBy: "self" },
    { key: "desk", type: "string", visibleTo: "everyone", editableBy: "admin" },
    { key: "shirt", type: "string", visibleTo: "everyone", editableBy: "self" },
  ])
    await inTransaction(door.db, testContext(), (work) => addCustomAttribute(work, attribute));
  const create = async (userName: string) =>
    (await door.request("POST", "/Users", { body: { schemas: [USER, CUSTOM], userName, [CUSTOM]: values } }).expect(201)).body.id as string;
  [ann, bob] = [await create("ann"), await create("bob")];
  ({ token } = await door.newToken({ name: "ann's own", personId: ann }));
});
afterAll(() => door.close());

const patch = (id: string, key: string, value: unknown) =>
  door.request("PATCH", `/Users/${id}`, {
    token,
    body: { schemas: [PATCH_OP], Operations: [{ op: "replace", path: `${CUSTOM}:${key}`, value }] },
  });
const whole = async (id: string) => (await door.request("GET", `/Users/${id}`).expect(200)).body[CUSTOM];

describe("P2: who sees and changes the organisation's own attributes, at the SCIM door", () => {
  test("an origin sees them all; a person what is theirs, and of others what everyone sees: read, listed, searched, filtered, sorted", async () => {
    expect(await whole(ann)).toEqual(values);
    const { grade: _hidden, ...own } = values;
    const { allergy: _own, ...others } = own;
    for (const [id, shown] of [
      [ann, own],
      [bob, others],
    ] as const) {
      expect((await door.request("GET", `/Users/${id}`, { token }).expect(200)).body[CUSTOM]).toEqual(shown);
      expect(
        (await door.request("GET", `/Users/${id}?attributes=${CUSTOM}:grade,${CUSTOM}:shirt`, { token }).expect(200)).body[CUSTOM],
      ).toEqual({ shirt: "L" });
    }
    expect((await door.request("GET", "/Me", { token }).expect(200)).body[CUSTOM]).toEqual(own);
    const listed = await door.request("GET", "/Users?sortBy=userName", { token }).expect(200);
    expect(listed.body.Resources.map((each: Record<string, unknown>) => each[CUSTOM])).toEqual([own, others]);
    // Counted only, nobody is shown, and nothing has to be kept back.
    for (const asked of ["count=0", "count=0&cursor=", "count=0&sortBy=userName&attributes=userName"])
      expect((await door.request("GET", `/Users?${asked}`, { token }).expect(200)).body).toMatchObject({ totalResults: 2, Resources: [] });
    const beyond = await door.request("POST", "/.search", { token, body: { startIndex: 1000, count: 5 } }).expect(200);
    expect(beyond.body.Resources).toEqual([]);
    const count = async (filter: string, by: string | undefined) =>
      (await door.request("GET", `/Users?filter=${encodeURIComponent(filter)}`, by === undefined ? {} : { token: by }).expect(200)).body
        .totalResults;
    expect(await count(`${CUSTOM}:grade eq "G7"`, undefined)).toBe(2);
    expect(await count(`${CUSTOM}:grade eq "G7"`, token)).toBe(0);
    expect(await count(`${CUSTOM}:allergy eq "nuts"`, token)).toBe(1);
    expect(await count(`${CUSTOM}:desk eq "4-12"`, token)).toBe(2);
  });

  test("a person changes what the attribute leaves to people, of themselves; what they do not name stays", async () => {
    await patch(ann, "allergy", "none").expect(200);
    for (const [id, key] of [
      [ann, "desk"],
      [ann, "grade"],
      [bob, "shirt"],
    ] as const)
      await patch(id, key, "mine").expect(403);
    const { body } = await door
      .request("PUT", "/Me", { token, body: { schemas: [USER, CUSTOM], userName: "ann", [CUSTOM]: { shirt: "M" } } })
      .expect(200);
    expect(body[CUSTOM]).toEqual({ desk: "4-12", shirt: "M" });
    expect(await whole(ann)).toEqual({ grade: "G7", desk: "4-12", shirt: "M" });
    await door.request("PUT", "/Me", { token, body: { schemas: [USER], userName: "ann" } }).expect(200);
    expect(await whole(ann)).toEqual({ grade: "G7", desk: "4-12" });
    expect(await whole(bob)).toEqual(values);
    const made = { schemas: [USER, CUSTOM], userName: "carl", [CUSTOM]: { grade: "G9" } };
    await door.request("POST", "/Users", { token, body: made }).expect(403);
  });
});
