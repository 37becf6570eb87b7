import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
beforeAll(async () => {
  door = await openApi();
});
afterAll(() => door?.close());

const unitsNamed = async (name: string) => (await door.request("GET", `/units?q=${name}`).expect(200)).body.items;

describe("bulk requests", () => {
  test("all of them, each able to name what one before created", async () => {
    const operations = [
      { bulkId: "top", method: "post", path: "/units", body: { name: "BulkTop" } },
      { bulkId: "sub", method: "post", path: "/units", body: { name: "BulkSub", parentId: "bulkId:top" } },
      { method: "patch", path: "/units/bulkId:sub", body: { name: "BulkBelow" }, ifMatch: '"1"' },
    ];
    const { body } = await door.request("POST", "/bulk", { body: { operations } }).expect(200);
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([201, 201, 200]);
    expect(body.results[2].body).toMatchObject({ name: "BulkBelow", parentId: body.results[0].body.id });
  });

  test("or none: the first that fails undoes all, and is named", async () => {
    const operations = [
      { method: "post", path: "/units", body: { name: "NoneOfIt" } },
      { method: "post", path: "/units", body: { name: "" } },
    ];
    const { body } = await door.request("POST", "/bulk", { body: { operations } }).expect(422);
    expect(body).toMatchObject({
      field: "operations.1",
      detail: "operations.1: name: must not be empty. Nothing was changed.",
      errors: [{ field: "operations.1.body.name" }],
    });
    expect(await unitsNamed("NoneOfIt")).toEqual([]);
  });

  test("each by itself: one that fails doesn't stop the others", async () => {
    const operations = [
      { method: "post", path: "/units", body: { name: "EachA" } },
      { method: "delete", path: "/me" },
      { method: "post", path: "/units", body: { name: "EachB", parentId: "bulkId:nobody" } },
      { method: "post", path: "/units", body: { name: "EachC" } },
    ];
    const { body } = await door.request("POST", "/bulk/each", { body: { operations } }).expect(200);
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([201, 404, 422, 201]);
    expect(await unitsNamed("Each")).toHaveLength(2);
  });

  test("a name stands for one operation: two of the same name are refused, and nothing is done to what the other made", async () => {
    const operations = [
      { bulkId: "a", method: "post", path: "/units", body: { name: "FirstNamed" } },
      { bulkId: "a", method: "post", path: "/units", body: { name: "" } },
      { method: "delete", path: "/units/bulkId:a", body: { reason: "the second" }, ifMatch: "*" },
    ];
    for (const path of ["/bulk", "/bulk/each"]) {
      const { body } = await door.request("POST", path, { body: { operations } }).expect(422);
      expect(body).toMatchObject({ field: "operations.1.bulkId" });
    }
    expect(await unitsNamed("FirstNamed")).toEqual([]);
  });

  test("invariant 7: every operation is asked for its own permission", async () => {
    const own = await door.newUnit();
    const foreign = await door.newUnit();
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: own });
    const create = (parentId: string) => ({ method: "post", path: "/units", body: { name: "Slipped", parentId } });
    await door.request("POST", "/bulk", { token, body: { operations: [create(own), create(foreign)] } }).expect(404);
    expect(await unitsNamed("Slipped")).toEqual([]);
    const { body } = await door.request("POST", "/bulk/each", { token, body: { operations: [create(own), create(foreign)] } }).expect(200);
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([201, 404]);
  });

  test("a bulk is not nested, and not endless", async () => {
    const nested = { method: "post", path: "/bulk", body: { operations: [] } };
    await door.request("POST", "/bulk", { body: { operations: [nested] } }).expect(404);
    const one = { method: "post", path: "/units", body: { name: "Many" } };
    await door.request("POST", "/bulk", { body: { operations: Array.from({ length: 501 }, () => one) } }).expect(422);
  });
});
