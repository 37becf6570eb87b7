import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Fault, type Source } from "../../../connectors/contract.ts";
import { ldapSettings } from "../../../connectors/ldap/config.ts";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { drain } from "../../contract/source.ts";
import { silentLog } from "../../helpers/database.ts";
import { startFakeLdap, type FakeAnswer, type FakeEntry, type FakeSearch } from "../../helpers/fake-ldap.ts";
import { until } from "../../jobs/waiting.ts";

const base = "ou=people,dc=example,dc=org";

function person(number: number, more: FakeEntry["attributes"] = {}): FakeEntry {
  return {
    dn: `uid=p${number},${base}`,
    attributes: { uid: [`p${number}`], entryUUID: [`id-${number}`], modifyTimestamp: ["20260101000000Z"], ...more },
  };
}

/** A source whose reads of people and groups are answered by the test; the naming context is not asked of it. */
async function withFake<T>(
  answer: (search: FakeSearch, page: number) => FakeAnswer,
  work: (source: Source, searches: FakeSearch[]) => Promise<T>,
  settings = {},
): Promise<T> {
  let page = 0;
  const fake = await startFakeLdap((search) => (search.attributes.includes("contextCSN") ? {} : answer(search, page++)));
  const parsed = ldapSettings.parse({
    url: fake.url,
    users: { base, attributes: ["uid", "jpegPhoto"] },
    groups: { base },
    timeouts: { answerSeconds: 60 },
    ...settings,
  });
  const source = await openLdapSource({ settings: parsed, log: silentLog, signal: new AbortController().signal, now: () => new Date() });
  try {
    return await work(source, fake.searches);
  } finally {
    await source.close();
    await fake.stop();
  }
}

describe("a read that did not prove itself complete", () => {
  test("invariant 1: an empty page that still has a cookie is not the end", async () => {
    const pages: FakeAnswer[] = [
      { entries: [person(1)], cookie: "a" },
      { cookie: "b" },
      { cookie: "c" },
      { entries: [person(2)], cookie: "" },
    ];
    const { records, end } = await withFake(
      (_, page) => pages[page] ?? {},
      (source) => drain(source.readAll("user")),
    );
    expect(records.map((record) => record.nativeId)).toEqual(["id-1", "id-2"]);
    expect(end).toMatchObject({ finalCursor: true, count: 2 });
  });

  test("invariant 1: success without a paging control proves nothing", async () => {
    const { end } = await withFake(
      () => ({ entries: [person(1)] }),
      (source) => drain(source.readAll("user")),
    );
    expect(end).toMatchObject({ finalCursor: false, count: 1 });
    await expect(
      withFake(
        () => ({ entries: [person(1)] }),
        (source) => source.count?.("user") ?? Promise.resolve(0),
      ),
    ).rejects.toMatchObject({ kind: "transient" });
  });

  test("invariant 1: result 4 is no success, whatever came before it", async () => {
    const cut = (page: number): FakeAnswer =>
      page === 0 ? { entries: [person(1)], cookie: "a" } : { entries: [person(2)], result: 4, cookie: "" };
    const fault = await withFake(
      (_, page) => cut(page),
      (source) => drain(source.readAll("user")).catch((error: unknown) => error),
    );
    expect(fault).toMatchObject({ kind: "misconfigured" });
    expect(String(fault)).toMatch(/size limit cut the read of users short.*size\.prtotal=unlimited/s);
  });

  test("invariant 1: cut at any page, by any end but the right one, there is never evidence (property)", async () => {
    const broken = fc.record({
      pages: fc.integer({ min: 1, max: 5 }),
      at: fc.nat({ max: 4 }),
      how: fc.constantFrom<FakeAnswer["result"]>("cut", 3, 4, 11, 51, 52, 53, 80),
    });
    await fc.assert(
      fc.asyncProperty(broken, async ({ pages, at, how }) => {
        const last = Math.min(at, pages - 1);
        const answer = (page: number): FakeAnswer => ({
          entries: [person(page)],
          cookie: page === pages - 1 ? "" : `after ${page}`,
          ...(page === last ? { result: how } : {}),
        });
        await withFake(
          (_, page) => answer(page),
          async (source) => {
            await expect(drain(source.readAll("user"))).rejects.toBeInstanceOf(Fault);
          },
        );
        await withFake(
          (_, page) => answer(page),
          async (source) => {
            const listing = source.listIds?.("user");
            const toTheEnd = async () => {
              for (let step = await listing?.next(); step && !step.done; step = await listing?.next());
            };
            await expect(toTheEnd()).rejects.toBeInstanceOf(Fault);
          },
        );
      }),
      { numRuns: 25 },
    );
  });

  test("invariant 1: a server that falls silent is timed out, with its own sentence", async () => {
    const fault = await withFake(
      (_, page) => (page === 0 ? { entries: [person(1)], cookie: "a" } : { result: "silent" }),
      (source) => drain(source.readAll("user")).catch((error: unknown) => error),
      { timeouts: { answerSeconds: 1 } },
    );
    expect(fault).toMatchObject({ kind: "transient" });
    expect(String(fault)).toMatch(/no answer within 1000 ms \(the read of users\)/);
  });

  test("invariant 1: an entry whose id is hidden takes the evidence away, and invariant 4: the others are read", async () => {
    const nameless = { dn: `uid=p2,${base}`, attributes: { uid: ["p2"] } };
    const { records, problems, end } = await withFake(
      () => ({ entries: [person(1), nameless, person(3)], cookie: "" }),
      (source) => drain(source.readAll("user")),
    );
    expect(records.map((record) => record.nativeId)).toEqual(["id-1", "id-3"]);
    expect(problems).toEqual([
      { kind: "user", nativeId: `uid=p2,${base}`, code: "no_native_id", message: expect.stringMatching(/has no entryUUID/) },
    ]);
    expect(end.finalCursor).toBe(false);
    // Its time of change is hidden too: a filter on it would see nothing.
    expect(end.cursor).toBeUndefined();
  });

  test("invariant 1: a part that is on another server is no complete read, unless it is not wanted", async () => {
    const answer = { entries: [person(1)], references: ["ldap://other.example.org/ou=far"], cookie: "" };
    await expect(
      withFake(
        () => answer,
        (source) => drain(source.readAll("user")),
      ),
    ).rejects.toMatchObject({ kind: "misconfigured", message: expect.stringMatching(/ldap:\/\/other\.example\.org/) });
    expect(
      (
        await withFake(
          () => answer,
          (source) => drain(source.readAll("user")),
          { referrals: "ignore" },
        )
      ).end.finalCursor,
    ).toBe(true);
  });

  test("a server that sends empty pages for ever is left", async () => {
    await expect(
      withFake(
        () => ({ cookie: "again" }),
        (source) => drain(source.readAll("user")),
      ),
    ).rejects.toMatchObject({ kind: "transient" });
  });
});

describe("what servers send", () => {
  test("ranged members are fetched to the end", async () => {
    const member = (number: number) => `UID=p${number}, ${base}`;
    const group = (attributes: FakeEntry["attributes"]): FakeEntry => ({ dn: `cn=all,${base}`, attributes });
    const named = { cn: ["all"], entryUUID: ["id-all"], modifyTimestamp: ["20260101000000Z"] };
    const answer = (search: FakeSearch): FakeAnswer => {
      const [asked] = search.attributes;
      if (asked === "member;range=2-*") return { entries: [group({ member: [], "member;range=2-3": [member(2), member(3)] })] };
      if (asked === "member;range=4-*") return { entries: [group({ "member;range=4-*": [member(4)], member: [] })] };
      return { entries: [group({ ...named, member: [], "member;range=0-1": [member(0), member(1)] })], cookie: "" };
    };
    const { records } = await withFake(answer, (source) => drain(source.readAll("group")));
    expect(records[0]?.members).toEqual({ set: [0, 1, 2, 3, 4].map((number) => `uid=p${number},${base}`) });
  });

  test("ranged members that stop coming are no complete group", async () => {
    const group = { dn: `cn=all,${base}`, attributes: { cn: ["all"], entryUUID: ["id-all"], "member;range=0-0": [`uid=a,${base}`] } };
    const answer = (search: FakeSearch): FakeAnswer => (search.pageSize === undefined ? { entries: [] } : { entries: [group], cookie: "" });
    await expect(withFake(answer, (source) => drain(source.readAll("group")))).rejects.toMatchObject({ kind: "transient" });
  });

  test("a group that is deleted or renamed before its last members were read is read again, and no wrong setting", async () => {
    const group = { dn: `cn=all,${base}`, attributes: { cn: ["all"], entryUUID: ["id-all"], "member;range=0-0": [`uid=a,${base}`] } };
    const answer = (search: FakeSearch): FakeAnswer => (search.pageSize === undefined ? { result: 32 } : { entries: [group], cookie: "" });
    await expect(withFake(answer, (source) => drain(source.readAll("group")))).rejects.toMatchObject({ kind: "transient" });
  });

  test("single values and lists are what the settings say, whatever the server sends", async () => {
    const read = (attributes: FakeEntry["attributes"], settings: object) =>
      withFake(
        () => ({ entries: [person(1, attributes)], cookie: "" }),
        async (source) => (await drain(source.readAll("user"))).records[0]?.attributes,
        {
          users: { base, attributes: ["UID", "mail", "cn"] },
          ...settings,
        },
      );
    expect(await read({ mail: ["a", "b"], cn: ["x"] }, { multiValued: ["cn"] })).toEqual({
      dn: `uid=p1,${base}`,
      UID: "p1",
      mail: "a",
      cn: ["x"],
    });
    expect(await read({ mail: ["a"], cn: [] }, { multiValued: ["mail"] })).toEqual({ dn: `uid=p1,${base}`, UID: "p1", mail: ["a"] });
  });

  test("what is no text comes as base64, and text with a replacement character stays text", async () => {
    const photo = Buffer.from([0xff, 0xd8, 0xff, 0xe0]);
    const attributes = await withFake(
      () => ({ entries: [person(1, { jpegPhoto: [photo], uid: ["\ufffd"] })], cookie: "" }),
      async (source) => (await drain(source.readAll("user"))).records[0]?.attributes,
    );
    expect(attributes).toMatchObject({ jpegPhoto: photo.toString("base64"), uid: "\ufffd" });
  });

  test("messages are read however the network cuts them, and large ones too", async () => {
    const long = "x".repeat(300_000);
    const entries = [person(1, { uid: [long] }), ...Array.from({ length: 500 }, (_, number) => person(number + 2))];
    const { records } = await withFake(
      () => ({ entries, cookie: "" }),
      (source) => drain(source.readAll("user")),
    );
    expect(records).toHaveLength(501);
    expect(records[0]?.attributes["uid"]).toBe(long);
  });

  test("one page is asked for ahead, and no more", async () => {
    await withFake(
      (_, page) => ({ entries: [person(page)], cookie: page === 9 ? "" : `${page}` }),
      async (source, searches) => {
        const read = source.readAll("user");
        await read.next();
        const pages = () => searches.filter((search) => search.pageSize !== undefined).length;
        await until(pages, (count) => count >= 2);
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(pages()).toBe(2);
        await read.return({ finalCursor: false, count: 0 });
      },
    );
  });
});
