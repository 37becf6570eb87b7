import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let id: string;
let token: string;
beforeAll(async () => {
  door = await openDoor();
  id = (await door.request("POST", "/Users", { body: { schemas: [USER], userName: "ann", title: "Clerk" } })).body.id;
  ({ token } = await door.newToken({ name: "ann's own", personId: id }));
});
afterAll(() => door.close());

describe("RFC 7644 section 3.11: /Me", () => {
  test("is the person whose token it is, with the permanent location", async () => {
    const me = await door.request("GET", "/Me", { token });
    const user = await door.request("GET", `/Users/${id}`);
    expect([me.status, me.body]).toEqual([200, user.body]);
    expect([me.headers["location"], me.headers["etag"]]).toEqual([user.body.meta.location, user.headers["etag"]]);
  });

  test("knows projections and preconditions", async () => {
    const part = await door.request("GET", "/Me?attributes=title", { token });
    expect(part.body).toEqual({ schemas: [USER], id, title: "Clerk" });
    const same = await door.request("GET", "/Me", { token, headers: { "If-None-Match": String(part.headers["etag"]) } });
    expect(same.status).toBe(304);
  });

  test("can be patched and replaced", async () => {
    const patched = await door.request("PATCH", "/Me", {
      token,
      body: { schemas: [PATCH_OP], Operations: [{ op: "replace", path: "title", value: "Judge" }] },
    });
    expect([patched.status, patched.body.title, patched.headers["location"]]).toEqual([200, "Judge", patched.body.meta.location]);
    const stale = await door.request("PUT", "/Me", {
      token,
      body: { schemas: [USER], userName: "ann" },
      headers: { "If-Match": 'W/"0.0"' },
    });
    expect([stale.status, stale.headers["location"]]).toEqual([412, patched.body.meta.location]);
    const put = await door.request("PUT", "/Me", { token, body: { schemas: [USER], userName: "ann", title: "Queen" } });
    expect([put.status, put.body.id, put.body.title]).toEqual([200, id, "Queen"]);
  });

  test("is not deleted or made: other methods are told which ones work", async () => {
    for (const method of ["DELETE", "POST"]) {
      const answer = await door.request(method, "/Me", { token, body: { schemas: [USER], userName: "other" } });
      expect([answer.status, answer.headers["allow"]]).toEqual([405, "GET, HEAD, PUT, PATCH"]);
    }
  });

  test("is nobody for a client that is no person", async () => {
    const answer = await door.request("GET", "/Me");
    expect([answer.status, answer.body.status]).toEqual([404, "404"]);
    expect(answer.headers["location"]).toBeUndefined();
  });

  test("ends with the person's access", async () => {
    await door.request("PATCH", `/Users/${id}`, {
      body: { schemas: [PATCH_OP], Operations: [{ op: "replace", path: "active", value: false }] },
    });
    expect((await door.request("GET", "/Me", { token })).status).toBe(401);
  });
});
