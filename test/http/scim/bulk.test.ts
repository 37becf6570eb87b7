import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

interface Result {
  method: string;
  bulkId?: string;
  location?: string;
  version?: string;
  status: string;
  response?: { status: string; scimType?: string; detail: string };
}

let door: Door;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(() => door.close());

async function bulk(operations: readonly object[], more: object = {}): Promise<Result[]> {
  const answer = await door.request("POST", "/Bulk", { body: { schemas: [BULK_REQUEST], Operations: operations, ...more } });
  expect([answer.status, answer.body.schemas]).toEqual([200, [BULK_RESPONSE]]);
  return answer.body.Operations;
}

const user = (userName: string, more: object = {}) => ({ schemas: [USER], userName, ...more });
const post = (bulkId: string, data: object, path = "/Users") => ({ method: "POST", path, bulkId, data });
const group = (displayName: string, members: readonly string[] = []) => ({
  schemas: [GROUP],
  displayName,
  members: members.map((value) => ({ value })),
});
const idOf = (result: Result | undefined): string => result?.location?.split("/").at(-1) ?? "";
const read = async (result: Result | undefined) =>
  (await door.request("GET", `/${result?.location?.split("/scim/v2/")[1] ?? ""}`)) as {
    status: number;
    headers: Record<string, string>;
    body: {
      userName: string;
      title?: string;
      members: { value: string }[];
      [ENTERPRISE]: { department?: string; manager: { value: string } };
    };
  };

describe("RFC 7644 section 3.7: bulk", () => {
  test("each operation has its own status, location and version", async () => {
    const [made, replaced] = await bulk([post("a", user("each-a")), post("b", user("each-b"))]);
    expect(made).toEqual({
      method: "POST",
      bulkId: "a",
      status: "201",
      location: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/scim\/v2\/Users\/[0-9a-f-]{36}$/),
      version: expect.stringMatching(/^W\//),
    });
    const results = await bulk([
      { method: "PUT", path: `/Users/${idOf(made)}`, version: made?.version, data: user("each-a", { title: "Put" }) },
      {
        method: "patch",
        path: `/Users/${idOf(replaced)}`,
        data: { schemas: [PATCH_OP], Operations: [{ op: "add", path: "title", value: "Patched" }] },
      },
      { method: "PUT", path: `/Users/${idOf(made)}`, version: made?.version, data: user("each-a", { title: "Too late" }) },
      { method: "DELETE", path: `/Users/${idOf(replaced)}` },
    ]);
    expect(results.map(({ status }) => status)).toEqual(["200", "200", "412", "204"]);
    expect(results[3]).toEqual({ method: "DELETE", status: "204", location: replaced?.location });
    expect(results[2]).toMatchObject({ location: made?.location, response: { status: "412" } });
    const held = await read(made);
    expect([held.body.title, held.headers["etag"]]).toEqual(["Put", results[0]?.version]);
    expect((await read(replaced)).status).toBe(404);
  });

  test("bulkIds in data and paths become ids, whether what they name comes before or after", async () => {
    const results = await bulk([
      post("team", group("Team", ["bulkId:ann", "bulkId:bob"]), "/Groups"),
      {
        method: "PATCH",
        path: "/Users/bulkId:ann",
        data: { schemas: [PATCH_OP], Operations: [{ op: "add", path: "title", value: "Lead" }] },
      },
      post("ann", user("ref-ann", { [ENTERPRISE]: { manager: { value: "bulkId:bob" } } })),
      post("bob", user("ref-bob")),
      {
        method: "PATCH",
        path: "/Groups/bulkId:team",
        data: { schemas: [PATCH_OP], Operations: [{ op: "remove", path: 'members[value eq "bulkId:bob"]' }] },
      },
    ]);
    expect(results.map(({ status, bulkId }) => [status, bulkId])).toEqual([
      ["201", "team"],
      ["200", undefined],
      ["201", "ann"],
      ["201", "bob"],
      [expect.stringMatching(/^20[04]$/), undefined],
    ]);
    const [team, , ann, bob] = results;
    expect((await read(team)).body.members.map(({ value }: { value: string }) => value)).toEqual([idOf(ann)]);
    expect((await read(ann)).body).toMatchObject({ title: "Lead", [ENTERPRISE]: { manager: { value: idOf(bob) } } });
  });

  test("M1: only members and managers refer to others: elsewhere a text may begin as it likes", async () => {
    const texts = { title: "bulkId:nobody", displayName: "bulkId:b", phoneNumbers: [{ value: "bulkId:x", type: "work" }] };
    const change = { op: "replace", path: "nickName", value: "bulkId:gone" };
    const [a, , changed] = await bulk([
      post("a", user("text-a", texts)),
      post("b", user("text-b")),
      { method: "PATCH", path: "/Users/bulkId:a", data: { schemas: [PATCH_OP], Operations: [change] } },
    ]);
    expect([a?.status, changed?.status]).toEqual(["201", "200"]);
    expect((await read(a)).body).toMatchObject({ ...texts, nickName: "bulkId:gone" });
  });

  test.each([
    [`${ENTERPRISE}:manager`, "bulkId:boss"],
    [`${ENTERPRISE}:manager.value`, "bulkId:boss"],
    [undefined, { [`${ENTERPRISE}:manager`]: { value: "bulkId:boss" } }],
    [undefined, { [ENTERPRISE]: { MANAGER: "bulkId:boss" } }],
  ])("M1: a patch names a manager by bulkId at %s", async (path, value) => {
    const name = `boss-${JSON.stringify([path, value]).length}`;
    const [staff, boss] = await bulk([
      post("staff", user(`${name}-staff`)),
      post("boss", user(name)),
      { method: "PATCH", path: "/Users/bulkId:staff", data: { schemas: [PATCH_OP], Operations: [{ op: "add", path, value }] } },
    ]);
    expect((await read(staff)).body[ENTERPRISE].manager.value).toBe(idOf(boss));
  });

  test("references in a circle: one is made without, and completed", async () => {
    const managers = await bulk([
      post("one", user("circle-1", { [ENTERPRISE]: { department: "D", manager: { value: "bulkId:two" } } })),
      post("two", user("circle-2", { [ENTERPRISE]: { manager: { value: "bulkId:three" } } })),
      post("three", user("circle-3", { [ENTERPRISE]: { manager: "bulkId:one" } })),
    ]);
    expect(managers.map(({ status }) => status)).toEqual(["201", "201", "201"]);
    for (const [at, result] of managers.entries()) {
      const held = await read(result);
      expect(held.body[ENTERPRISE].manager.value).toBe(idOf(managers[(at + 1) % 3]));
      expect(held.headers["etag"]).toBe(result.version);
    }
    expect((await read(managers[0])).body[ENTERPRISE].department).toBe("D");

    const groups = await bulk([
      post("x", group("Circle X", ["bulkId:y", "bulkId:member"]), "/Groups"),
      post("y", group("Circle Y", ["bulkId:x"]), "/Groups"),
      post("member", user("circle-member")),
    ]);
    expect(groups.map(({ status }) => status)).toEqual(["201", "201", "201"]);
    const members = async (result: Result | undefined) => (await read(result)).body.members.map(({ value }: { value: string }) => value);
    expect((await members(groups[0])).sort()).toEqual([idOf(groups[1]), idOf(groups[2])].sort());
    expect(await members(groups[1])).toEqual([idOf(groups[0])]);
  });

  test("a failure is its operation's own; what refers to it fails with 409, the rest goes on", async () => {
    const results = await bulk([
      post("bad", { schemas: [USER] }),
      post("needs", group("Needs", ["bulkId:bad"]), "/Groups"),
      post("stranger", group("Stranger", ["bulkId:nobody"]), "/Groups"),
      post("good", user("own-good")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["400", "409", "400", "201"]);
    expect(results[0]?.response).toMatchObject({ status: "400", scimType: "invalidValue", detail: expect.stringContaining("userName") });
    expect(results[1]?.response?.detail).toContain("bad");
    expect(results[2]?.response?.detail).toContain("nobody");
  });

  test("of a broken circle, what was made says where it is and what it lacks", async () => {
    const [made, broken] = await bulk([
      post("made", user("broken-made", { [ENTERPRISE]: { manager: { value: "bulkId:broken" } } })),
      post("broken", { schemas: [USER], [ENTERPRISE]: { manager: { value: "bulkId:made" } } }),
    ]);
    expect([made?.status, broken?.status]).toEqual(["409", "400"]);
    expect(made?.location).toBeUndefined();
    const [first, second] = await bulk([
      post("late", { schemas: [USER], [ENTERPRISE]: { manager: { value: "bulkId:early" } } }),
      post("early", user("broken-early", { [ENTERPRISE]: { manager: { value: "bulkId:late" } } })),
    ]);
    expect([first?.status, second?.status]).toEqual(["400", "409"]);
    expect((await read(second)).body.userName).toBe("broken-early");
  });

  test("failOnErrors ends the rest after so many failures, and what was not tried has no result", async () => {
    const operations = [
      post("1", { schemas: [USER] }),
      post("2", user("stop-2")),
      { method: "DELETE", path: "/Users/nobody" },
      post("4", user("stop-4")),
    ];
    expect((await bulk(operations, { failOnErrors: 1 })).map(({ status }) => status)).toEqual(["400"]);
    expect((await bulk(operations, { failOnErrors: 2 })).map(({ status }) => status)).toEqual(["400", "201", "404"]);
    const found = await door.request("GET", '/Users?filter=userName eq "stop-4"');
    expect(found.body.totalResults).toBe(0);
    expect((await bulk(operations, { failOnErrors: 9 })).map(({ status }) => status)).toEqual(["400", "409", "404", "201"]);
  });

  test.each([
    ["a method that changes nothing", { method: "GET", path: "/Users" }, "400"],
    ["no method", { path: "/Users" }, "400"],
    ["a POST without a bulkId", { method: "POST", path: "/Users", data: user("nameless") }, "400"],
    ["a POST to one resource", { method: "POST", path: "/Users/1", bulkId: "p", data: user("nameless") }, "400"],
    ["a PUT to all", { method: "PUT", path: "/Users", data: user("nameless") }, "400"],
    ["a PATCH without data", { method: "PATCH", path: "/Users/1" }, "400"],
    ["nothing writable there", { method: "POST", path: "/Printers", bulkId: "p", data: {} }, "404"],
    ["a path out of the door", { method: "DELETE", path: "/../../Users/1" }, "404"],
    ["a query", { method: "DELETE", path: "/Users?filter=active" }, "404"],
    ["no path", { method: "DELETE" }, "404"],
  ])("an operation with %s fails alone", async (_what, operation, status) => {
    const results = await bulk([operation, post("beside", user(`beside-${_what.replaceAll(" ", "-")}`))]);
    expect(results.map((each) => each.status)).toEqual([status, "201"]);
  });

  test.each([
    ["of another message", { schemas: [PATCH_OP], Operations: [] }],
    ["without operations", { schemas: [BULK_REQUEST] }],
    ["with an operation that is none", { schemas: [BULK_REQUEST], Operations: ["POST"] }],
    ["with data as text", { schemas: [BULK_REQUEST], Operations: [{ method: "POST", path: "/Users", bulkId: "a", data: "{}" }] }],
    ["with two of one bulkId", { schemas: [BULK_REQUEST], Operations: [post("a", user("twin-1")), post("a", user("twin-2"))] }],
    ["with failOnErrors 0", { schemas: [BULK_REQUEST], failOnErrors: 0, Operations: [] }],
  ])("a request %s is refused whole", async (_what, body) => {
    const answer = await door.request("POST", "/Bulk", { body });
    expect([answer.status, answer.body.scimType]).toEqual([400, "invalidSyntax"]);
  });

  test("limits are advertised, and what is beyond them is answered with 413", async () => {
    const { body } = await door.request("GET", "/ServiceProviderConfig");
    expect(body.bulk).toEqual({ supported: true, maxOperations: 1000, maxPayloadSize: 1024 * 1024 });
    const tooMany = Array.from({ length: 1001 }, () => ({ method: "DELETE", path: "/Users/nobody" }));
    const many = await door.request("POST", "/Bulk", { body: { schemas: [BULK_REQUEST], Operations: tooMany } });
    expect([many.status, many.body.status, many.body.detail]).toEqual([413, "413", expect.stringContaining("maxOperations")]);
    const large = await door.request("POST", "/Bulk", {
      body: { schemas: [BULK_REQUEST], Operations: [post("a", user("x".repeat(1024 * 1024)))] },
    });
    expect([large.status, large.body.status, large.body.detail]).toEqual([413, "413", expect.stringContaining("maxPayloadSize: 1048576")]);
  });

  test("other methods are told which one works", async () => {
    const answer = await door.request("GET", "/Bulk");
    expect([answer.status, answer.headers["allow"]]).toEqual([405, "POST"]);
  });
});
