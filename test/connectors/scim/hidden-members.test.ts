import { afterEach, describe, expect, test } from "@jest/globals";
import type { Target } from "../../../connectors/contract.ts";
import { openTarget } from "../../../connectors/scim/target.ts";
import { openOptions, scripted, type Asked, type Said } from "./opened.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Habits {
  /** What it says of the filter `id eq … and members eq …`. */
  filter?: "answers" | "refuses" | "ignores" | "answers with 404";
  patch?: "works" | "does nothing";
  /** A value path that matches nobody. */
  nobody?: Said;
}

/** An application whose groups come without members, as AWS IAM Identity Center gives them. */
async function hiding({ filter = "answers", patch = "works", nobody = { status: 204 } }: Habits = {}): Promise<{
  target: Target;
  members: Set<string>;
  asked: Asked[];
}> {
  const members = new Set<string>(["old"]);
  const group = { id: "g", displayName: "G", members: [] };
  const listOf = (resources: object[]): Said => ({ status: 200, body: { totalResults: resources.length, Resources: resources } });
  const change = ({ body }: Asked): Said => {
    for (const operation of body["Operations"] as { op: string; path: string; value?: { value: string }[] }[]) {
      const named = /^members\[value eq "(.*)"\]$/.exec(operation.path)?.[1];
      if (named !== undefined && !members.has(named)) return nobody;
      if (patch === "does nothing") continue;
      for (const id of named === undefined ? (operation.value ?? []).map(({ value }) => value) : [named])
        if (operation.op === "add") members.add(id);
        else members.delete(id);
    }
    return { status: 204 };
  };
  const answer = (asked: Asked): Said => {
    if (asked.path === "/ServiceProviderConfig") return { status: 200, body: {} };
    if (asked.method === "PATCH") return change(asked);
    if (asked.method === "PUT") {
      members.clear();
      for (const { value } of asked.body["members"] as { value: string }[]) members.add(value);
      return { status: 200, body: group };
    }
    const member = /members eq "(.*)"/.exec(asked.query.get("filter") ?? "")?.[1];
    if (member === undefined) return asked.path === "/Groups" ? listOf([group]) : { status: 200, body: group };
    if (filter === "answers with 404" && !members.has(member)) return { status: 404, body: { detail: "none" } };
    if (filter === "refuses") return { status: 400, body: { scimType: "invalidFilter", detail: "no" } };
    return listOf(filter === "ignores" || members.has(member) ? [group] : []);
  };
  const application = await scripted(answer);
  const target = await openTarget(openOptions(application.settings));
  stops.push(
    () => target.close(),
    () => application.stop(),
  );
  return { target, members, asked: application.asked };
}

const methods = (asked: readonly Asked[]) => asked.filter(({ path }) => path.startsWith("/Groups")).map(({ method }) => method);

describe("an application that shows no members", () => {
  test("is told who leaves, though it does not say who is in", async () => {
    const { target, members } = await hiding();
    await target.members("g", { add: [], remove: ["old"] });
    expect([...members]).toEqual([]);
  });

  test("is asked by a filter whether a change took effect; from then on it is not compared", async () => {
    const { target, members, asked } = await hiding();
    await target.members("g", { add: ["a"], remove: [] });
    expect([...members].sort()).toEqual(["a", "old"]);
    expect(methods(asked)).toEqual(["GET", "PATCH", "GET", "GET", "GET"]);
    asked.length = 0;
    await target.members("g", { add: ["b"], remove: ["old"] });
    expect(methods(asked)).toEqual(["PATCH", "PATCH"]);
    expect([...members].sort()).toEqual(["a", "b"]);
    expect(await target.get("group", "g")).not.toHaveProperty("members");
  });

  test("is not taken for gone where a filter that nobody matches is answered by 404: somebody would stay in it", async () => {
    const { target, members } = await hiding({
      filter: "answers with 404",
      nobody: { status: 400, body: { scimType: "noTarget", detail: "no" } },
    });
    await target.members("g", { add: [], remove: ["stranger", "old"] });
    expect([...members]).toEqual([]);
  });

  test.each(["refuses", "ignores", "answers with 404"] as const)(
    "is never sent a list that would throw others out: a filter that it %s",
    async (filter) => {
      const { target, members, asked } = await hiding({ filter });
      await expect(target.members("g", { add: ["a"], remove: [] })).rejects.toMatchObject({
        kind: "rejected",
        message: expect.stringContaining("compareMembers"),
      });
      expect(methods(asked)).not.toContain("PUT");
      expect(members.has("old")).toBe(true);
    },
  );

  test("gets PUT where a filter shows that PATCH did nothing", async () => {
    const { target, members } = await hiding({ patch: "does nothing" });
    members.clear();
    await target.members("g", { add: ["a"], remove: [] });
    expect([...members]).toEqual(["a"]);
  });

  test("may say that nobody matches whom it should take out: they are out", async () => {
    const { target, asked } = await hiding({ nobody: { status: 400, body: { scimType: "noTarget", detail: "no" } } });
    await target.members("g", { add: [], remove: ["stranger"] });
    expect(methods(asked)).toEqual(["GET", "PATCH", "GET", "GET", "GET"]);
  });
});
