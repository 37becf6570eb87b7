import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

let door: Door;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(() => door.close());

const post = (body: object) => door.request("POST", "/Users", { body: { schemas: [USER, ENTERPRISE], ...body } });
const found = async (filter: string): Promise<string[]> =>
  (await door.request("GET", `/Users?filter=${encodeURIComponent(filter)}`)).body.Resources.map(
    ({ userName }: { userName: string }) => userName,
  );

/** Letters without a pattern, so that nothing makes them shorter. */
function letters(count: number): string {
  let text = "";
  for (let at = 0; text.length < count; at += 1) text += createHash("sha512").update(`${count} ${at}`).digest("base64");
  return text.slice(0, count);
}

describe("what people are found by has a length that can be kept", () => {
  test.each<[string, (text: string) => object]>([
    ["userName", (userName) => ({ userName })],
    ["externalId", (externalId) => ({ userName: "by-external-id", externalId })],
    ["displayName", (displayName) => ({ userName: "by-display-name", displayName })],
    ["emails.value", (value) => ({ userName: "by-address", emails: [{ value }] })],
    ["employeeNumber", (employeeNumber) => ({ userName: "by-number", [ENTERPRISE]: { employeeNumber } })],
    ["manager.value", (value) => ({ userName: "by-manager", [ENTERPRISE]: { manager: { value } } })],
  ])("a %s that no index can hold is refused by name, the longest that one can is kept", async (field, body) => {
    for (const length of [1601, 3000, 60_000]) {
      const refused = await post(body(letters(length)));
      expect([refused.status, refused.body.scimType]).toEqual([400, "invalidValue"]);
      expect(refused.body.detail).toBe(`${field}: has ${length} bytes in UTF-8, and may have 1600.`);
    }
    expect((await post(body(letters(1600)))).status).toBe(201);
  });

  test.each([
    ["displayName", (text: string) => ({ displayName: text })],
    ["externalId", (text: string) => ({ displayName: "Long", externalId: text })],
  ])("a group's %s likewise", async (field, body) => {
    const send = (length: number) => door.request("POST", "/Groups", { body: { schemas: [GROUP], ...body(letters(length)) } });
    const refused = await send(3000);
    expect([refused.status, refused.body.detail]).toEqual([400, `${field}: has 3000 bytes in UTF-8, and may have 1600.`]);
    expect((await send(1600)).status).toBe(201);
  });

  test("what nobody is found by may be long", async () => {
    const title = letters(100_000);
    expect((await post({ userName: "long-title", title })).body.title).toBe(title);
  });
});

describe("RFC 7644 5: a user's name has one form", () => {
  const composed = "ren\u00e9@example.com";
  const decomposed = "rene\u0301@example.com";

  test("RFC 7644 5: é is one letter, however it is written", async () => {
    const made = await post({ userName: decomposed });
    expect([made.status, made.body.userName]).toEqual([201, composed]);
    expect((await post({ userName: composed })).body.scimType).toBe("uniqueness");
    for (const name of [composed, decomposed, composed.toUpperCase(), decomposed.toUpperCase()]) {
      expect(await found(`userName eq "${name}"`)).toEqual([composed]);
      expect(await found(`userName sw "${name.slice(0, 5)}" and active eq true`)).toEqual([composed]);
      expect(await found(`userName ne "${name}" and userName co "ren"`)).toEqual([]);
    }
    const url = `/Users/${made.body.id}`;
    const same = await door.request("PATCH", url, { body: { Operations: [{ op: "replace", path: "userName", value: decomposed }] } });
    expect([same.status, same.headers["etag"]]).toEqual([200, made.headers["etag"]]);
  });

  test("spaces within it are its own", async () => {
    expect((await post({ userName: "Ann Marie" })).status).toBe(201);
    expect(await found('userName eq "ann marie"')).toEqual(["Ann Marie"]);
  });

  test.each([
    ["spaces alone", "  \t ", "userName: has nothing but spaces."],
    ["a line's end", "ann\n", "userName: has control characters, or ones that turn the direction of writing."],
    ["letters turned round", "\u202emoc.elpmaxe@nna", "userName: has control characters, or ones that turn the direction of writing."],
  ])("one of %s is refused", async (_title, userName, detail) => {
    const refused = await post({ userName });
    expect([refused.status, refused.body.scimType, refused.body.detail]).toEqual([400, "invalidValue", detail]);
  });
});
