import { afterEach, describe, expect, test } from "@jest/globals";
import { Fault, type Target } from "../../../connectors/contract.ts";
import { openTarget } from "../../../connectors/scim/target.ts";
import { listed, openOptions, scripted, type Asked, type Said, type Scripted } from "./opened.ts";

const ERROR = "urn:ietf:params:scim:api:messages:2.0:Error";
const EMPTY_LIST = { status: 200, body: { totalResults: 0, Resources: [] } };

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function against(answer: (asked: Asked) => Said): Promise<{ target: Target; asked: Scripted["asked"] }> {
  const application = await scripted(answer);
  const target = await openTarget(openOptions(application.settings));
  stops.push(
    () => target.close(),
    () => application.stop(),
  );
  return { target, asked: application.asked };
}

const sent = (asked: readonly Asked[]) =>
  asked.filter(({ path }) => path !== "/ServiceProviderConfig").map(({ method, path }) => `${method} ${path}`);

describe("M4: 404", () => {
  const calls: [string, (target: Target) => Promise<unknown>][] = [
    ["disabled", (target) => target.disable("1")],
    ["removed", (target) => target.remove("user", "1")],
    ["read", (target) => target.get("user", "1")],
    ["changed", (target) => target.update("user", "1", { before: { title: "A" }, after: { title: "B" } })],
    ["taken out of a group", (target) => target.members("g", { add: [], remove: ["1"] })],
  ];

  test.each(calls)("from a server that knows nothing at all is no proof that somebody is gone who is to be %s", async (_what, call) => {
    const { target } = await against(() => ({ status: 404 }));
    await expect(call(target)).rejects.toMatchObject({ kind: "transient" });
  });

  test.each(calls)("in SCIM's own words is: who is to be %s is gone", async (what, call) => {
    const { target, asked } = await against(({ path }) => ({
      status: 404,
      ...(path === "/ServiceProviderConfig" ? {} : { body: { schemas: [ERROR], status: "404" } }),
    }));
    if (what === "removed") await call(target);
    else if (what === "read") expect(await call(target)).toBe("gone");
    else await expect(call(target)).rejects.toMatchObject({ kind: "gone" });
    expect(sent(asked)).not.toContain("GET /Users");
  });

  test("of an application that still tells who is there is one, too", async () => {
    const { target, asked } = await against(({ path }) => (path === "/Users" ? EMPTY_LIST : { status: 404, body: "not here" }));
    await target.remove("user", "1");
    await expect(target.disable("2")).rejects.toMatchObject({ kind: "gone" });
    expect(sent(asked)).toEqual(["DELETE /Users/1", "GET /Users/1", "GET /Users", "PATCH /Users/2", "GET /Users/2", "GET /Users"]);
  });

  /** An application with one user, whose router knows none of these methods and says so with 404. */
  const without = (...missing: string[]) => {
    const held: Record<string, unknown> = { id: "1", userName: "anna", active: true };
    return {
      held,
      answer({ method, path, body }: Asked): Said {
        if (path === "/ServiceProviderConfig" || missing.includes(method))
          return { status: 404, body: { schemas: [ERROR], status: "404" } };
        if (method === "PUT") Object.assign(held, body);
        return { status: 200, body: held };
      },
    };
  };

  test("to PATCH alone, of somebody who is there, means that there is no PATCH: they are disabled by PUT", async () => {
    const { held, answer } = without("PATCH");
    const { target, asked } = await against(answer);
    await target.disable("1");
    expect([held["active"], sent(asked)]).toEqual([false, ["PATCH /Users/1", "GET /Users/1", "GET /Users/1", "PUT /Users/1"]]);
  });

  test("to every change of somebody who is there is a failure, not their end", async () => {
    const { target } = await against(without("PATCH", "PUT", "DELETE").answer);
    await expect(target.disable("1")).rejects.toMatchObject({ kind: "rejected" });
    await expect(target.remove("user", "1")).rejects.toMatchObject({ kind: "rejected", message: expect.stringContaining("DELETE") });
  });

  test("to the removal of somebody who is still shown, and is not active, is well", async () => {
    const { held, answer } = without("DELETE");
    held["active"] = "False";
    const { target } = await against(answer);
    await target.remove("user", "1");
  });
});

describe("M4: an error that comes with 200", () => {
  const SHOWN = { id: "1", userName: "anna", active: true };
  const failing = (error: Record<string, unknown>) =>
    against(({ path, method }) =>
      path === "/ServiceProviderConfig" ? { status: 200, body: {} } : { status: 200, body: method === "GET" ? SHOWN : error },
    );

  test.each([
    [{ schemas: [ERROR], status: "409", scimType: "uniqueness", detail: "taken" }, "exists"],
    [{ schemas: [ERROR], status: 400, scimType: "invalidValue", detail: "no such title" }, "rejected"],
    [{ schemas: [ERROR], status: "503", detail: "later" }, "transient"],
    [{ schemas: [ERROR], status: "200", detail: "which it does not say" }, "transient"],
    [{ SCHEMAS: [ERROR.toLowerCase()], detail: "in other letters" }, "transient"],
  ])("is one: %j", async (error, kind) => {
    const { target } = await failing(error);
    const detail = expect.stringContaining(error.detail) as unknown as string;
    const change = { before: { title: "A" }, after: { title: "B" } };
    await expect(target.update("user", "1", change)).rejects.toMatchObject({ kind, message: detail });
    await expect(target.create("user", { userName: "anna" })).rejects.toMatchObject({ kind, message: detail });
    await expect(target.disable("1")).rejects.toMatchObject({ kind });
    await expect(target.remove("user", "1")).rejects.toMatchObject({ kind });
    await expect(target.members("1", { add: ["2"], remove: [] })).rejects.toBeInstanceOf(Fault);
  });

  test("and says that nobody is there is believed as the status is", async () => {
    const { target } = await against(() => ({ status: 200, body: { schemas: [ERROR], status: "404" } }));
    await expect(target.get("user", "1")).resolves.toBe("gone");
    await expect(target.disable("1")).rejects.toMatchObject({ kind: "gone" });
  });
});

describe("M4: 403", () => {
  test("for one account that nobody may change is that account's affair: the others' changes are not held up", async () => {
    const { target } = await against(({ method, path }) =>
      path === "/Users" && method === "GET" ? EMPTY_LIST : { status: 403, body: { detail: "The owner can't be changed" } },
    );
    const refused = { kind: "rejected", message: expect.stringContaining("The owner can't be changed") };
    await expect(target.disable("1")).rejects.toMatchObject(refused);
    await expect(target.remove("user", "1")).rejects.toMatchObject(refused);
    await expect(target.create("user", { userName: "anna" })).rejects.toMatchObject(refused);
  });

  test.each([401, 403])("for everything (%i) is the credential's", async (status) => {
    const { target } = await against(({ path }) => (path === "/ServiceProviderConfig" ? { status: 404 } : { status }));
    await expect(target.disable("1")).rejects.toMatchObject({ kind: "denied" });
  });

  test("for the ServiceProviderConfig alone tells nothing of the application", async () => {
    const { target } = await against(({ path }) =>
      path === "/ServiceProviderConfig" ? { status: 403 } : { status: 200, body: { id: "1", active: false } },
    );
    await target.disable("1");
  });
});

describe("RFC 7643 section 2.1: names in other letters", () => {
  test("are the same names: lists, ids, members and what a service says that it can", async () => {
    const { target, asked } = await against(({ method, path }) => {
      if (path === "/ServiceProviderConfig") return { status: 200, body: { Patch: { Supported: false }, Filter: { MaxResults: 7 } } };
      if (path === "/Groups/g") return { status: 200, body: { Id: "g", DisplayName: "G", Members: [{ Value: "1" }] } };
      if (method === "GET" && path === "/Users/1") return { status: 200, body: { ID: "1", username: "Anna", Active: true } };
      if (method === "PUT") return { status: 200, body: {} };
      return { status: 200, body: { totalresults: 1, resources: [{ Id: "1", username: "Anna", Active: "False" }] } };
    });
    expect(await target.find("user", { userName: "anna" })).toMatchObject([{ nativeId: "1", active: false }]);
    expect(await listed(target)).toEqual({ ids: ["1"], evidence: { finalCursor: true, count: 1 } });
    expect(await target.get("group", "g")).toMatchObject({ nativeId: "g", members: ["1"], attributes: { displayName: "G" } });
    await target.disable("1");
    expect(asked.at(-1)).toMatchObject({ method: "PUT", body: { userName: "Anna", active: false } });
    expect(asked.at(-1)?.body).not.toHaveProperty("Active");
    expect(asked.find(({ query }) => query.has("count"))?.query.get("count")).toBe("7");
  });

  test("inside an extension that is not the RFC's stay as they are", async () => {
    const { target } = await against(() => ({ status: 200, body: { id: "1", userName: "a", "urn:acme:User": { ID: "7" } } }));
    expect(await target.get("user", "1")).toMatchObject({ attributes: { "urn:acme:User": { ID: "7" } } });
  });
});

describe("what an application leaves open", () => {
  test("M4: an account that was made without a word of its id is found by its name", async () => {
    const { target } = await against(({ method, query }) =>
      method === "POST"
        ? { status: 201 }
        : { status: 200, body: { totalResults: 1, Resources: query.has("filter") ? [{ id: "7", userName: "anna" }] : [] } },
    );
    expect(await target.create("user", { userName: "anna", externalId: "x" })).toMatchObject({ nativeId: "7" });
  });

  test("M4: one that can't be found again is said to have been made", async () => {
    const { target } = await against(({ method }) => (method === "POST" ? { status: 201 } : EMPTY_LIST));
    await expect(target.create("user", { userName: "anna" })).rejects.toMatchObject({ kind: "rejected" });
  });

  test("a Location that ends in a slash is one", async () => {
    const { target } = await against(({ method }) =>
      method === "POST" ? { status: 201, headers: { location: "/scim/Users/9/" } } : { status: 200, body: { id: "9", userName: "anna" } },
    );
    expect(await target.create("user", { userName: "anna" })).toMatchObject({ nativeId: "9" });
  });

  test("M4: a filter's answer that counts somebody and shows nobody is no proof that nobody is there", async () => {
    const { target } = await against(({ query }) => ({
      status: 200,
      body: { totalResults: 1, Resources: query.has("filter") ? [] : [{ id: "7", userName: "anna" }] },
    }));
    expect(await target.find("user", { userName: "anna" })).toMatchObject([{ nativeId: "7" }]);
  });

  test.each(['W/"1"\r\nX-Admin: yes', 'W/"\u2713"', 'W/"\0"'])("the version %j, which no header can hold, is none", async (version) => {
    const stored = { id: "7", userName: "anna", title: "A", meta: { version } };
    const { target, asked } = await against(({ method, path }) =>
      path === "/ServiceProviderConfig"
        ? { status: 200, body: { patch: { supported: false }, etag: { supported: true } } }
        : { status: 200, body: method === "GET" ? stored : {} },
    );
    await target.update("user", "7", { before: { title: "A" }, after: { title: "B" } });
    expect(asked.filter(({ method }) => method === "PUT").map(({ headers }) => headers["if-match"])).toEqual([undefined]);
  });

  test("empty pages with ever new cursors end as a listing that proves nothing", async () => {
    let page = 0;
    const { target } = await against(({ path }) => ({
      status: 200,
      body: path === "/ServiceProviderConfig" ? { pagination: { cursor: true } } : { Resources: [], nextCursor: `c${(page += 1)}` },
    }));
    expect(await listed(target)).toEqual({ ids: [], evidence: { finalCursor: false, count: 0 } });
  });
});
