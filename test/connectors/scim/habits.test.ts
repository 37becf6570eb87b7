import { afterEach, describe, expect, test } from "@jest/globals";
import type { Target } from "../../../connectors/contract.ts";
import { openTarget } from "../../../connectors/scim/target.ts";
import { listed, openOptions, scripted, type Asked, type Said, type Scripted } from "./opened.ts";

type Config = Record<string, unknown>;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Opens a target on an application with this ServiceProviderConfig, that otherwise answers what `answer` says. */
async function against(
  answer: (asked: Asked) => Said,
  { config = {}, settings = {} }: { config?: Config; settings?: Config } = {},
): Promise<{ target: Target; asked: Scripted["asked"] }> {
  const application = await scripted((asked) => (asked.path === "/ServiceProviderConfig" ? { status: 200, body: config } : answer(asked)));
  const target = await openTarget(openOptions({ ...application.settings, ...settings }));
  stops.push(
    () => target.close(),
    () => application.stop(),
  );
  return { target, asked: application.asked };
}

/** A group in memory that takes PATCH and PUT as these say; undefined where it takes them as the RFC has it. */
function groupApplication({
  patch,
  put,
}: { patch?: (asked: Asked, members: Set<string>) => Said | undefined; put?: (asked: Asked) => Said | undefined } = {}): {
  members: Set<string>;
  answer: (asked: Asked) => Said;
} {
  const members = new Set<string>(["old"]);
  const answer = (asked: Asked): Said => {
    if (asked.method === "PATCH") {
      const said = patch?.(asked, members);
      if (said) return said;
      for (const operation of asked.body["Operations"] as { op: string; path: string; value?: { value: string }[] }[]) {
        const named = /^members\[value eq "(.*)"\]$/.exec(operation.path)?.[1];
        for (const id of named === undefined ? (operation.value ?? []).map(({ value }) => value) : [named])
          if (operation.op === "add") members.add(id);
          else members.delete(id);
      }
      return { status: 204 };
    }
    if (asked.method === "PUT") {
      const said = put?.(asked);
      if (said) return said;
      members.clear();
      for (const { value } of asked.body["members"] as { value: string }[]) members.add(value);
      return { status: 200, body: { id: "g" } };
    }
    return {
      status: 200,
      body: { id: "g", displayName: "G", members: [...members].map((value) => ({ value })), meta: { version: 'W/"7"' } },
    };
  };
  return { members, answer };
}

const methods = (asked: readonly Asked[]) => asked.filter(({ path }) => path.startsWith("/Groups")).map(({ method }) => method);

describe("the members of a group", () => {
  test("an application that answers PATCH well and does nothing gets PUT, from then on at once", async () => {
    const { members, answer } = groupApplication({ patch: () => ({ status: 204 }) });
    const { target, asked } = await against(answer);
    await target.members("g", { add: ["a"], remove: ["old"] });
    expect([...members]).toEqual(["a"]);
    expect(methods(asked)).toEqual(["GET", "PATCH", "PATCH", "GET", "GET", "PUT"]);
    asked.length = 0;
    await target.members("g", { add: ["b"], remove: [] });
    expect(methods(asked)).toEqual(["GET", "PUT"]);
    expect([...members].sort()).toEqual(["a", "b"]);
  });

  test.each(["patch", "put"])(
    "UUIDs are the same in either case: who leaves is found among members written otherwise (%s)",
    async (groupPatch) => {
      const [ann, bea, other] = [1, 2, 3].map((digit) => `aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee${digit}`) as [string, string, string];
      const { members, answer } = groupApplication({
        patch({ body }, held) {
          for (const { path } of body["Operations"] as { path: string }[]) held.delete((/"(.*)"/.exec(path)?.[1] ?? "").toUpperCase());
          return { status: 204 };
        },
      });
      for (const id of [ann, bea, other]) members.add(id.toUpperCase());
      const { target } = await against(answer, { settings: { groupPatch } });
      await target.members("g", { add: [other], remove: [ann] });
      expect([...members].sort()).toEqual([bea.toUpperCase(), other.toUpperCase(), "old"]);
      await target.members("g", { add: [], remove: ["OLD"] });
      expect([...members]).toContain("old");
    },
  );

  test("an application that has once shown to change groups by PATCH is not looked at again", async () => {
    const { members, answer } = groupApplication();
    const { target, asked } = await against(answer, { settings: { compareMembers: true } });
    for (const id of ["a", "b"]) await target.members("g", { add: [id], remove: [] });
    expect(methods(asked)).toEqual(["GET", "PATCH", "GET", "GET", "PATCH"]);
    expect([...members].sort()).toEqual(["a", "b", "old"]);
  });

  test.each([405, 501])("an application that refuses PATCH on groups with %i gets PUT", async (status) => {
    const { members, answer } = groupApplication({ patch: () => ({ status }) });
    const { target } = await against(answer);
    await target.members("g", { add: ["a"], remove: [] });
    expect([...members].sort()).toEqual(["a", "old"]);
  });

  test.each([
    ["413", { status: 413 }],
    ["tooMany", { status: 400, body: { scimType: "tooMany" } }],
  ])("batches shrink until the application takes them (%s), and stay small", async (_name, refusal) => {
    const { members, answer } = groupApplication({
      patch: ({ body }) => {
        const [first] = body["Operations"] as { value: unknown[] }[];
        return (first?.value.length ?? 0) > 3 ? refusal : undefined;
      },
    });
    const { target, asked } = await against(answer, { settings: { memberBatch: 8 } });
    const ids = Array.from({ length: 8 }, (_, index) => `m${index}`);
    await target.members("g", { add: ids, remove: [] });
    expect([...members].sort()).toEqual([...ids, "old"].sort());
    const sizes = asked
      .filter(({ method }) => method === "PATCH")
      .map(({ body }) => (body["Operations"] as { value: unknown[] }[])[0]?.value.length);
    expect(sizes).toEqual([8, 4, 2, 2, 2, 2]);
  });

  test("what is too large even alone is rejected, with the group named", async () => {
    const { answer } = groupApplication({ patch: () => ({ status: 413 }) });
    const { target } = await against(answer);
    await expect(target.members("g", { add: ["a"], remove: [] })).rejects.toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("group g: too large"),
    });
  });

  describe("an application that refuses a removal whole when one of those named is out already", () => {
    const named = ({ body }: Asked) =>
      (body["Operations"] as { op: string; path: string; value?: { value: string }[] }[])
        .filter(({ op }) => op === "remove")
        .flatMap(({ path, value }) => value?.map((each) => each.value) ?? /"(.*)"/.exec(path)?.slice(1) ?? []);
    const strict = (refusal: Said) => {
      const { members, answer } = groupApplication({
        patch: (asked, held) => (named(asked).every((id) => held.has(id)) ? undefined : refusal),
      });
      for (const id of ["a", "b", "c", "d"]) members.add(id);
      return { members, answer };
    };
    const refusals: [string, Said][] = [
      ["noTarget", { status: 400, body: { scimType: "noTarget", detail: "no" } }],
      ["404 with noTarget", { status: 404, body: { scimType: "noTarget", detail: "no" } }],
      ["404 alone", { status: 404, body: { detail: "no such member" } }],
    ];

    test.each(refusals)("takes out the others, where members are not compared (%s)", async (_name, refusal) => {
      const { members, answer } = strict(refusal);
      const { target, asked } = await against(answer, { settings: { compareMembers: false } });
      await target.members("g", { add: [], remove: ["a", "out", "b", "c"] });
      expect([...members].sort()).toEqual(["d", "old"]);
      // By a list everybody would go, where RFC 7644 is taken by its letter.
      const paths = asked.flatMap(({ body }) => ((body["Operations"] ?? []) as { path: string }[]).map(({ path }) => path));
      expect(paths).not.toContain("members");
      await target.members("g", { add: [], remove: ["a"] });
      expect([...members].sort()).toEqual(["d", "old"]);
    });

    test.each(refusals)("takes out the others, where the group shows nobody (%s)", async (_name, refusal) => {
      const { members, answer } = strict(refusal);
      const hidden = (asked: Asked): Said =>
        asked.method === "GET" ? { status: 200, body: { id: "g", displayName: "G" } } : answer(asked);
      const { target } = await against(hidden);
      await target.members("g", { add: [], remove: ["a", "out", "b", "c"] });
      expect([...members].sort()).toEqual(["d", "old"]);
    });

    test("a group that is gone is still told to be", async () => {
      const { target } = await against(
        ({ method, path }) => ({ status: path === "/Groups" ? 200 : method === "PUT" ? 500 : 404, body: {} }),
        {
          settings: { compareMembers: false },
        },
      );
      await expect(target.members("g", { add: [], remove: ["a"] })).rejects.toMatchObject({ kind: "gone" });
    });
  });

  describe("an application that refuses a change whole because of somebody whom it does not know any more", () => {
    const strict = (refusal: Said, known: readonly string[]) => {
      const strange = (ids: readonly string[]) => (ids.every((id) => known.includes(id)) ? undefined : refusal);
      const added = ({ body }: Asked) =>
        (body["Operations"] as { op: string; value?: { value: string }[] }[]).flatMap(({ op, value = [] }) =>
          op === "add" ? value.map((each) => each.value) : [],
        );
      return groupApplication({
        patch: (asked) => strange(added(asked)),
        put: ({ body }) => strange((body["members"] as { value: string }[]).map(({ value }) => value)),
      });
    };
    const many = Array.from({ length: 30 }, (_, index) => `m${index}`);
    const refusals: [string, Said][] = [
      ["400", { status: 400, body: { detail: "Member gone not found" } }],
      ["404", { status: 404, body: { detail: "Member gone not found" } }],
      ["422", { status: 422, body: { detail: "Member gone not found" } }],
    ];

    describe.each(["patch", "put"])("(%s)", (groupPatch) => {
      test.each(refusals.filter(([status]) => groupPatch === "patch" || status !== "404"))(
        "M4, invariant 4: lets in and out everybody else, and says who is left (%s)",
        async (_status, refusal) => {
          const { members, answer } = strict(refusal, ["old", ...many]);
          const { target } = await against(answer, { settings: { groupPatch, memberBatch: 8 } });
          const joining = ["first", ...many.slice(0, 15), "gone", ...many.slice(15)];
          await expect(target.members("g", { add: joining, remove: ["old"] })).rejects.toMatchObject({
            kind: "rejected",
            message: expect.stringMatching(/group g but for first, gone: are their accounts still there\?/),
          });
          expect([...members].sort()).toEqual([...many].sort());
        },
      );

      test("M4: lets out who leaves, though nobody may come in, and is not asked for each of very many", async () => {
        const { members, answer } = strict({ status: 400, body: { detail: "The group takes nobody" } }, ["stays"]);
        members.add("stays");
        const { target, asked } = await against(answer, { settings: { groupPatch } });
        const crowd = Array.from({ length: 500 }, (_, index) => `x${index}`);
        await expect(target.members("g", { add: crowd, remove: ["old"] })).rejects.toMatchObject({
          kind: "rejected",
          message: expect.stringContaining("takes nobody"),
        });
        expect([...members]).toEqual(["stays"]);
        expect(asked.length).toBeLessThan(100);
      });
    });
  });

  test("where value paths are not understood, members are taken out by a list", async () => {
    const pathless = (asked: Asked) =>
      (asked.body["Operations"] as { path: string }[]).some(({ path }) => path.includes("["))
        ? { status: 400, body: { scimType: "invalidPath", detail: "no" } }
        : undefined;
    const { members, answer } = groupApplication({ patch: pathless });
    for (const id of ["a", "b"]) members.add(id);
    const { target } = await against(answer);
    await target.members("g", { add: [], remove: ["a", "b"] });
    expect([...members]).toEqual(["old"]);
    const strict = await against(answer, { settings: { memberRemoval: "path" } });
    await expect(strict.target.members("g", { add: [], remove: ["old"] })).rejects.toMatchObject({ kind: "rejected" });
  });

  test("a request that comes too soon is made again after what Retry-After says, and a lost answer is not", async () => {
    let refusals = 1;
    const { members, answer } = groupApplication({
      patch: () => (refusals-- > 0 ? { status: 429, headers: { "retry-after": "0" } } : undefined),
    });
    const { target, asked } = await against(answer);
    await target.members("g", { add: ["a"], remove: [] });
    expect([...members].sort()).toEqual(["a", "old"]);
    refusals = 0;
    const lost = await against(groupApplication({ patch: () => ({ status: 502 }) }).answer);
    await expect(lost.target.members("g", { add: ["a"], remove: [] })).rejects.toMatchObject({ kind: "transient" });
    expect(methods(lost.asked)).toEqual(["GET", "PATCH"]);
    expect(methods(asked)).toEqual(["GET", "PATCH", "PATCH", "GET"]);
  });

  test("a PUT carries the version that it was made from; what somebody else wrote meanwhile is kept", async () => {
    let others = 1;
    const { members, answer } = groupApplication({
      put(asked) {
        if (asked.headers["if-match"] !== 'W/"7"') return { status: 400 };
        if (others-- <= 0) return undefined;
        members.add("theirs");
        return { status: 412 };
      },
    });
    const { target } = await against(answer, { config: { patch: { supported: false }, etag: { supported: true } } });
    await target.members("g", { add: ["a"], remove: ["old"] });
    expect([...members].sort()).toEqual(["a", "theirs"]);
    others = 100;
    await expect(target.members("g", { add: ["b"], remove: [] })).rejects.toMatchObject({ kind: "transient" });
  });
});

describe("an application that takes no change without the version that it was made from", () => {
  const application = (refusal: number, { tells = true } = {}) => {
    let version = 1;
    const ada: Record<string, unknown> = { id: "1", userName: "ada", active: true };
    const done: string[] = [];
    const answer = ({ method, headers, body }: Asked): Said => {
      const etag = `W/"${version}"`;
      if (method === "GET") return { status: 200, body: ada, headers: tells ? { etag } : {} };
      if (headers["if-match"] !== etag) return { status: refusal, body: { detail: "If-Match" } };
      version += 1;
      done.push(method);
      if (method === "PUT") Object.assign(ada, body);
      if (method === "PATCH") for (const { path, value } of body["Operations"] as { path: string; value: unknown }[]) ada[path] = value;
      return { status: 204 };
    };
    return { ada, done, answer };
  };

  test.each([428, 412])("M4: gets it (%i): somebody who leaves is disabled, changed and removed there", async (refusal) => {
    for (const patch of ["auto", "put"]) {
      const { ada, done, answer } = application(refusal);
      const { target } = await against(answer, { settings: { patch } });
      await target.update("user", "1", { before: { title: "a" }, after: { title: "b" } });
      await target.disable("1");
      expect(ada).toMatchObject({ active: false, title: "b" });
      await target.remove("user", "1");
      expect(done).toEqual(patch === "put" ? ["PUT", "PUT", "DELETE"] : ["PATCH", "PATCH", "DELETE"]);
    }
  });

  test("and tells none, refuses that change, and is said to", async () => {
    const { target } = await against(application(428, { tells: false }).answer);
    await expect(target.disable("1")).rejects.toMatchObject({ kind: "rejected", message: expect.stringContaining("tells none") });
  });
});

describe("listings", () => {
  const ids = ["1", "2", "3", "4", "5"];
  const paged =
    (options: { circle?: boolean; total?: number } = {}) =>
    ({ query }: Asked): Said => {
      const at = Number(query.get("cursor")?.slice(1) || 0);
      const next = at + Number(query.get("count"));
      return {
        status: 200,
        body: {
          ...(options.total === undefined ? {} : { totalResults: options.total }),
          Resources: ids.slice(at, next).map((id) => ({ id, userName: `u${id}` })),
          ...(options.circle ? { nextCursor: "c2" } : next < ids.length ? { nextCursor: `c${next}` } : {}),
        },
      };
    };
  const config = { pagination: { cursor: true, index: false, maxPageSize: 2 } };

  test("go by cursor where the application says so, in pages of the size that it allows", async () => {
    const { target, asked } = await against(paged(), { config });
    expect(await listed(target)).toEqual({ ids, evidence: { finalCursor: true, count: 5 } });
    expect(asked.slice(1).map(({ query }) => [query.get("cursor"), query.get("count"), query.get("startIndex")])).toEqual([
      ["", "2", null],
      ["c2", "2", null],
      ["c4", "2", null],
    ]);
  });

  test.each([
    ["a cursor leads in a circle", paged({ circle: true })],
    ["the total is another", paged({ total: 6 })],
  ])("invariant 1: prove nothing when %s", async (_name, answer) => {
    const { target } = await against(answer, { config });
    expect((await listed(target)).evidence.finalCursor).toBe(false);
  });

  test("a cursor that has expired is a fault that passes", async () => {
    const { target } = await against(() => ({ status: 400, body: { scimType: "expiredCursor", detail: "too late" } }), { config });
    await expect(listed(target)).rejects.toMatchObject({ kind: "transient" });
  });

  test("pages are as large as maxResults allows", async () => {
    const { target, asked } = await against(() => ({ status: 200, body: { totalResults: 0, Resources: [] } }), {
      config: { filter: { supported: true, maxResults: 50 } },
    });
    await listed(target);
    expect(asked.at(-1)?.query.get("count")).toBe("50");
  });
});

describe("finding", () => {
  const everybody = Array.from({ length: 5 }, (_, index) => ({
    id: `${index}`,
    userName: `u${index}`,
    emails: [{ value: `u${index}@x.test` }],
  }));
  const page = (query: URLSearchParams) => {
    const start = Number(query.get("startIndex") ?? 1) - 1;
    return { status: 200, body: { totalResults: 5, Resources: everybody.slice(start, start + 2) } };
  };

  test("a filter that is ignored hides nobody on a later page, and is not asked again", async () => {
    const { target, asked } = await against(({ query }) => page(query), { settings: { pageSize: 2 } });
    expect((await target.find("user", { userName: "u4" })).map(({ nativeId }) => nativeId)).toEqual(["4"]);
    asked.length = 0;
    expect((await target.find("user", { userName: "u3" })).map(({ nativeId }) => nativeId)).toEqual(["3"]);
    expect(asked.some(({ query }) => query.has("filter"))).toBe(false);
  });

  test("another form of the same filter is tried before everybody is read", async () => {
    const { target, asked } = await against(({ query }) => {
      const filter = query.get("filter") ?? "";
      if (filter.startsWith("emails.value")) return { status: 400, body: { scimType: "invalidFilter" } };
      return { status: 200, body: { totalResults: 1, Resources: everybody.slice(1, 2) } };
    });
    expect((await target.find("user", { emails: [{ value: "u1@x.test" }] })).map(({ nativeId }) => nativeId)).toEqual(["1"]);
    expect(asked.at(-1)?.query.get("filter")).toBe('emails[value eq "u1@x.test"]');
  });

  test.each([501, 403])(
    "M4: an application that answers %i to filters is read as a whole: one filter stops nobody else's changes",
    async (status) => {
      const { target, asked } = await against(({ query }) => (query.has("filter") ? { status } : page(query)), {
        settings: { pageSize: 2 },
      });
      expect((await target.find("user", { userName: "u4" })).map(({ nativeId }) => nativeId)).toEqual(["4"]);
      asked.length = 0;
      expect((await target.find("user", { userName: "u3" })).map(({ nativeId }) => nativeId)).toEqual(["3"]);
      expect(asked.some(({ query }) => query.has("filter"))).toBe(false);
    },
  );

  test("M4: a filter that nobody matches may be answered by 404, where the application still lists", async () => {
    const { target, asked } = await against(({ query }) => {
      const name = /^userName eq "(.*)"$/.exec(query.get("filter") ?? "")?.[1];
      if (name === undefined) return page(query);
      const one = everybody.find(({ userName }) => userName === name);
      return one ? { status: 200, body: { totalResults: 1, Resources: [one] } } : { status: 404, body: { detail: "no such user" } };
    });
    expect(await target.find("user", { userName: "nobody" })).toEqual([]);
    expect((await target.find("user", { userName: "u4" })).map(({ nativeId }) => nativeId)).toEqual(["4"]);
    expect(asked.some(({ query }) => Number(query.get("startIndex")) > 1)).toBe(false);
  });

  test.each(["user", "group"] as const)(
    "M4: an application that answers 404 to every filter is read as a whole: no %s is taken for not there, and made twice",
    async (kind) => {
      const there = everybody.map(({ id, ...user }) => ({ id, ...(kind === "user" ? user : { displayName: user.userName }) }));
      const attribute = kind === "user" ? "userName" : "displayName";
      const { target, asked } = await against(
        ({ query }) => {
          const start = Number(query.get("startIndex") ?? 1) - 1;
          if (query.has("filter")) return { status: 404, body: { detail: "not found" } };
          return { status: 200, body: { totalResults: 5, Resources: there.slice(start, start + Number(query.get("count"))) } };
        },
        { settings: { pageSize: 2 } },
      );
      expect((await target.find(kind, { [attribute]: "u4" })).map(({ nativeId }) => nativeId)).toEqual(["4"]);
      expect(asked.flatMap(({ query }) => query.get("filter") ?? [])).toEqual([`${attribute} eq "u4"`, `${attribute} eq "u0"`]);
      asked.length = 0;
      expect(await target.find(kind, { [attribute]: "nobody" })).toEqual([]);
      expect(asked.some(({ query }) => query.has("filter"))).toBe(false);
    },
  );

  test("M4: a 404 to a filter is asked about once, and not where nobody is listed, or nobody has the attribute", async () => {
    const there: Record<string, unknown>[] = [];
    const { target, asked } = await against(
      ({ query }) => {
        const [, attribute = "", value] = /^(\w+) eq "(.*)"$/.exec(query.get("filter") ?? "") ?? [];
        const start = Number(query.get("startIndex") ?? 1) - 1;
        const met = there.filter((one) => value === undefined || one[attribute] === value);
        if (value !== undefined && met.length === 0) return { status: 404, body: { detail: "none" } };
        return { status: 200, body: { totalResults: met.length, Resources: met.slice(start, start + Number(query.get("count") ?? 2)) } };
      },
      { settings: { pageSize: 2 } },
    );
    const filters = async (attributes: Record<string, string>) => {
      asked.length = 0;
      expect(await target.find("user", attributes)).toEqual([]);
      return asked.flatMap(({ query }) => query.get("filter") ?? []);
    };
    expect(await filters({ userName: "new" })).toEqual(['userName eq "new"']);
    there.push(...everybody);
    expect(await filters({ userName: "new" })).toEqual(['userName eq "new"', 'userName eq "u0"']);
    expect(await filters({ userName: "newer" })).toEqual(['userName eq "newer"']);
    const pages = async () => {
      await filters({ externalId: "x" });
      return asked.filter(({ query }) => query.get("count") === "2").length;
    };
    // Three pages, and after them two answers that are believed without.
    expect([await pages(), await pages(), await pages(), await pages()]).toEqual([3, 0, 0, 3]);
    Object.assign(there[4] ?? {}, { externalId: "y" });
    expect([await pages(), await pages()]).toEqual([0, 0]);
    expect(await filters({ externalId: "x" })).toEqual(['externalId eq "x"', 'externalId eq "y"']);
    expect((await target.find("user", { externalId: "y" })).map(({ nativeId }) => nativeId)).toEqual(["4"]);
  });

  test("M4: where nobody may list, a 404 to a filter is all that there is to go by", async () => {
    const { target } = await against(({ query }) => ({ status: query.has("filter") ? 404 : 403 }));
    expect(await target.find("user", { userName: "new" })).toEqual([]);
  });

  test("a 404 of an application that knows nothing at all is no proof that nobody is there", async () => {
    const { target } = await against(() => ({ status: 404 }));
    await expect(target.find("user", { userName: "u4" })).rejects.toMatchObject({ kind: "transient" });
  });

  test("attributes that the settings say can't be filtered by are looked for in the listing", async () => {
    const { target, asked } = await against(({ query }) => page(query), { settings: { pageSize: 2, filters: ["externalId"] } });
    expect((await target.find("user", { userName: "u4" })).map(({ nativeId }) => nativeId)).toEqual(["4"]);
    expect(asked.some(({ query }) => query.has("filter"))).toBe(false);
  });
});

describe("a user", () => {
  /** One user in memory, who is changed by PUT, and by PATCH as `patch` says. */
  function userApplication(patch: (asked: Asked) => Said): { held: Record<string, unknown>; answer: (asked: Asked) => Said } {
    const held: Record<string, unknown> = { id: "1", userName: "anna", title: "A", active: true };
    const answer = (asked: Asked): Said => {
      if (asked.method === "PATCH") return patch(asked);
      if (asked.method === "PUT") Object.assign(held, asked.body);
      return { status: 200, body: held };
    };
    return { held, answer };
  }
  const sent = (asked: readonly Asked[]) => asked.filter(({ path }) => path.startsWith("/Users")).map(({ method }) => method);

  test.each([405, 501])("an application that offers PATCH and refuses it with %i gets PUT, from then on at once", async (status) => {
    const { held, answer } = userApplication(() => ({ status }));
    const { target, asked } = await against(answer, { config: { patch: { supported: true } } });
    await target.disable("1");
    expect([held["active"], sent(asked)]).toEqual([false, ["PATCH", "GET", "PUT"]]);
    await target.update("user", "1", { before: { title: "A" }, after: { title: "B" } });
    await target.enable("1");
    expect([held["active"], held["title"], sent(asked).filter((method) => method === "PATCH").length]).toEqual([true, "B", 1]);
  });

  test("an update is not lost on an application that refuses PATCH", async () => {
    const { held, answer } = userApplication(() => ({ status: 501 }));
    const { target } = await against(answer);
    await target.update("user", "1", { before: { title: "A" }, after: { title: "B" } });
    expect(held).toMatchObject({ userName: "anna", title: "B", active: true });
  });

  test("where an administrator chose PATCH, nothing else is tried", async () => {
    const { answer } = userApplication(() => ({ status: 501 }));
    const { target, asked } = await against(answer, { settings: { patch: "patch" } });
    await expect(target.disable("1")).rejects.toThrow("501");
    expect(sent(asked)).toEqual(["PATCH"]);
  });

  describe("M4: an application that refuses a PATCH of `active` by its path", () => {
    const refusal: Said = { status: 400, body: { detail: "Unsupported path active" } };
    const operation = ({ body }: Asked) => (body["Operations"] as { path?: string; value: Record<string, unknown> }[])[0];

    test("has whoever leaves disabled by a value without one, from then on at once", async () => {
      const { held, answer } = userApplication((asked) => {
        if (operation(asked)?.path) return refusal;
        Object.assign(held, operation(asked)?.value);
        return { status: 204 };
      });
      const { target, asked } = await against(answer);
      await target.disable("1");
      expect([held["active"], sent(asked)]).toEqual([false, ["PATCH", "PATCH", "GET"]]);
      await target.enable("1");
      expect([held["active"], sent(asked).length]).toEqual([true, 4]);
    });

    test.each([
      ["refuses the other form, too", refusal],
      ["takes the other form, and does nothing", { status: 204 }],
    ])("and %s, has them disabled by PUT", async (_what, other) => {
      const { held, answer } = userApplication((asked) => (operation(asked)?.path ? refusal : other));
      const { target } = await against(answer);
      await target.disable("1");
      expect(held["active"]).toBe(false);
    });

    test("and every other way, says why in its first words, and holds up nobody else", async () => {
      const { held, answer } = userApplication(() => refusal);
      const { target } = await against((asked) => (asked.method === "PUT" ? { status: 400, body: { detail: "no PUT" } } : answer(asked)));
      await expect(target.disable("1")).rejects.toMatchObject({ kind: "rejected", message: expect.stringContaining("Unsupported path") });
      expect(held["active"]).toBe(true);
    });
  });

  test("whom an application shows as active after a PATCH that it took is disabled by PUT", async () => {
    const { held, answer } = userApplication(() => ({ status: 200, body: { id: "1", userName: "anna", active: "True" } }));
    const { target, asked } = await against(answer);
    await target.disable("1");
    expect([held["active"], sent(asked)]).toEqual([false, ["PATCH", "GET", "PUT"]]);
  });

  test("M4: after an answer that says nothing of it the account is looked at once: who is still active is disabled by PUT", async () => {
    const { held, answer } = userApplication(() => ({ status: 204 }));
    const { target, asked } = await against(answer);
    await target.disable("1");
    expect([held["active"], sent(asked)]).toEqual([false, ["PATCH", "GET", "GET", "PUT"]]);
  });

  test("an answer that says nothing of it is believed once it was seen to be so", async () => {
    const { held, answer } = userApplication(({ body }) => {
      held["active"] = (body["Operations"] as { value: boolean }[])[0]?.value;
      return { status: 204 };
    });
    const { target, asked } = await against(answer);
    await target.disable("1");
    await target.enable("1");
    expect([held["active"], sent(asked)]).toEqual([true, ["PATCH", "GET", "PATCH"]]);
  });
});

describe("answers", () => {
  test("M4: a change that is answered in plain text is one without a word, and looked at like those; a page is none", async () => {
    const held: Record<string, unknown> = { id: "1", userName: "anna", active: true };
    const application = (type: string, { patch }: { patch: boolean }) =>
      against(({ method, body }) => {
        if (method === "GET") return { status: 200, body: held };
        if (method === "PATCH" && patch) held["active"] = (body["Operations"] as { value: unknown }[])[0]?.value;
        if (method === "PUT") Object.assign(held, body);
        return { status: 200, headers: { "content-type": type }, text: "OK" };
      });
    const { target, asked } = await application("text/plain; charset=utf-8", { patch: true });
    await target.disable("1");
    expect(held["active"]).toBe(false);
    expect(asked.map(({ method }) => method)).toEqual(["GET", "PATCH", "GET"]);
    expect(await target.remove("user", "1")).toBe("removed");
    await (await application("text/plain", { patch: false })).target.enable("1");
    expect(held["active"]).toBe(true);
    await expect((await application("text/html", { patch: true })).target.disable("1")).rejects.toMatchObject({ kind: "misconfigured" });
  });

  test("numbers where texts belong, and texts where numbers and booleans do", async () => {
    const { target } = await against(({ method, path }) => {
      if (method === "POST") return { status: 201, body: { id: 7, userName: "anna", active: "true" } };
      if (path === "/Groups/9") return { status: 200, body: { id: 9, displayName: "G", members: [{ value: 7 }] } };
      return {
        status: 200,
        body: {
          totalResults: "2",
          Resources: [
            { id: 7, userName: "anna", active: "False" },
            { id: 8, userName: "bo" },
          ],
        },
      };
    });
    expect(await target.create("user", { userName: "anna" })).toMatchObject({ nativeId: "7", active: true });
    expect(await listed(target)).toEqual({ ids: ["7", "8"], evidence: { finalCursor: true, count: 2 } });
    expect(await target.find("user", { userName: "anna" })).toMatchObject([{ nativeId: "7", active: false }]);
    expect(await target.get("group", "9")).toMatchObject({ nativeId: "9", members: ["7"] });
  });

  test("a resource that was created without a word but its Location is read there", async () => {
    const { target } = await against(({ method }) =>
      method === "POST"
        ? { status: 201, headers: { location: "https://elsewhere.test/v2/Users/a%2Fb" } }
        : { status: 200, body: { id: "a/b", userName: "anna", active: true } },
    );
    expect(await target.create("user", { userName: "anna" })).toMatchObject({ nativeId: "a/b", active: true });
  });

  test.each([
    ["disabled", (target: Target) => target.disable("1")],
    ["removed", (target: Target) => target.remove("user", "1")],
    ["taken out of a group", (target: Target) => target.members("g", { add: [], remove: ["1"] })],
  ])("M4: whom a 409 without scimType keeps from being %s is tried again: somebody else was quicker", async (_what, change) => {
    const { target } = await against(({ method }) =>
      method === "GET"
        ? { status: 200, body: { id: "1", active: true, members: [{ value: "1" }] } }
        : { status: 409, body: { detail: "changed meanwhile" } },
    );
    await expect(change(target)).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("changed meanwhile") });
  });

  test("a name that somebody else has is a conflict of a change, too", async () => {
    const { target } = await against(() => ({ status: 409, body: { scimType: "uniqueness", detail: "taken" } }));
    await expect(target.update("user", "1", { before: { userName: "a" }, after: { userName: "b" } })).rejects.toMatchObject({
      kind: "exists",
    });
  });

  test("uniqueness is a conflict whatever the status", async () => {
    const { target } = await against(() => ({ status: 400, body: { scimType: "uniqueness", detail: "taken" } }));
    await expect(target.create("user", { userName: "anna" })).rejects.toMatchObject({ kind: "exists" });
  });

  test.each([
    ["RateLimit-Reset", "7", 7000],
    ["X-RateLimit-Reset", String(Date.parse("2026-01-01T00:01:00Z") / 1000), 60_000],
    ["X-RateLimit-Reset", "soon", undefined],
  ])("a 429 without Retry-After waits for %s: %s", async (header, value, wait) => {
    const { target } = await against(() => ({ status: 429, headers: { [header]: value } }));
    await expect(target.create("user", { userName: "anna" })).rejects.toMatchObject({ kind: "throttled", retryAfterMs: wait });
  });

  test("the version in the header counts where the resource tells none", async () => {
    const { target, asked } = await against(
      ({ method }) =>
        method === "GET" ? { status: 200, body: { id: "1", userName: "anna", active: true }, headers: { etag: 'W/"3"' } } : { status: 204 },
      { config: { patch: { supported: false }, etag: { supported: true } } },
    );
    await target.disable("1");
    expect(asked.at(-1)).toMatchObject({ method: "PUT", body: { active: false }, headers: { "if-match": 'W/"3"' } });
  });
});
