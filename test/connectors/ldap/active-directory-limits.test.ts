import { describe, expect, test } from "@jest/globals";
import { Fault, type Source } from "../../../connectors/contract.ts";
import { parseGuid } from "../../../connectors/ldap/active-directory/identifiers.ts";
import { ldapSettings } from "../../../connectors/ldap/config.ts";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { drain } from "../../contract/source.ts";
import { silentLog } from "../../helpers/database.ts";
import { startFakeLdap, type FakeAnswer, type FakeEntry, type FakeSearch } from "../../helpers/fake-ldap.ts";

/** Limits that Active Directory has by default and Samba has not (MS-ADTS 3.1.1.3.4.6). */
const MAX_PAGE_SIZE = 1000;
const MAX_VALUE_RANGE = 1500;
const BASE = "DC=ad,DC=example,DC=org";
const SERVICE = "CN=NTDS Settings,CN=DC1,CN=Servers,CN=Site,CN=Sites,CN=Configuration,DC=ad,DC=example,DC=org";

const guid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
const bytes = (text: string) => parseGuid(text) ?? Buffer.alloc(16);
const extended = (number: number, dn: string) => `<GUID=${guid(number)}>;<SID=S-1-5-21-1-2-3-${1000 + number}>;${dn}`;
const person = (number: number): FakeEntry => ({
  dn: extended(number, `CN=p${number},OU=People,${BASE}`),
  attributes: {
    objectGUID: [bytes(guid(number))],
    sAMAccountName: [`p${number}`],
    userAccountControl: ["512"],
    whenChanged: ["20260101000000.0Z"],
  },
});

const root = (service = SERVICE): FakeEntry["attributes"] => ({
  namingContexts: [BASE, `CN=Configuration,${BASE}`],
  supportedCapabilities: ["1.2.840.113556.1.4.800"],
  dsServiceName: [service],
  dnsHostName: [service.includes("DC1") ? "dc1.ad.example.org" : "dc2.ad.example.org"],
  highestCommittedUSN: ["4711"],
});

/** Pages as the domain controller cuts them, whatever the client asked for. */
function pageOf(entries: readonly FakeEntry[], search: FakeSearch): FakeAnswer {
  const from = Number(search.cookie ?? "") || 0;
  const to = Math.min(entries.length, from + Math.min(MAX_PAGE_SIZE, search.pageSize ?? 0));
  // Without paging the limit is the end.
  if (search.pageSize === undefined && entries.length > MAX_PAGE_SIZE) return { entries: entries.slice(0, MAX_PAGE_SIZE), result: 4 };
  if (search.pageSize === undefined) return { entries };
  return { entries: entries.slice(from, to), cookie: to < entries.length ? String(to) : "" };
}

/** LDAP_SERVER_EXTENDED_DN_OID: names come with ids only in the answer to a search that asks for them. */
const EXTENDED_NAMES = "1.2.840.113556.1.4.529";
const asAsked = (name: string, { controls }: FakeSearch) => (controls.includes(EXTENDED_NAMES) ? name : name.replace(/^(?:<[^>]*>;)+/, ""));

/** A group's entry with as many members as one answer may have; nothing unranged says that there are more. */
function groupOf(members: readonly string[], search: FakeSearch): FakeEntry {
  const asked = search.attributes.map((name) => /^member;range=(\d+)-\*$/.exec(name)?.[1]).find((start) => start !== undefined);
  const from = Number(asked ?? 0);
  const to = Math.min(members.length, from + MAX_VALUE_RANGE);
  const range = asked === undefined ? "member" : `member;range=${from}-${to === members.length ? "*" : to - 1}`;
  const values = members.slice(from, to).map((member) => asAsked(member, search));
  return {
    dn: asAsked(extended(1, `CN=all,OU=Groups,${BASE}`), search),
    attributes: { objectGUID: [bytes(guid(1))], cn: ["all"], whenChanged: ["20260101000000.0Z"], [range]: values },
  };
}

async function withController<T>(
  answer: (search: FakeSearch, number: number) => FakeAnswer,
  work: (source: Source, searches: FakeSearch[]) => Promise<T>,
  { settings = {}, services = [SERVICE] }: { settings?: Record<string, unknown>; services?: string[] } = {},
): Promise<T> {
  let asked = 0;
  const fake = await startFakeLdap(
    (search, number) =>
      search.base === SERVICE ? { entries: [{ dn: SERVICE, attributes: { invocationId: [bytes(guid(7))] } }] } : answer(search, number),
    () => root(services[Math.min(asked++, services.length - 1)]),
  );
  const parsed = ldapSettings.parse({
    url: fake.url,
    users: { base: `OU=People,${BASE}` },
    groups: { base: `OU=Groups,${BASE}` },
    changes: "uSNChanged",
    timeouts: { answerSeconds: 30 },
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

describe("M2: limits of Active Directory", () => {
  test("pages of the directory's size, however large a page was asked for", async () => {
    const people = Array.from({ length: 2345 }, (_, number) => person(number));
    await withController(
      (search) => pageOf(people, search),
      async (source) => {
        const { records, end, pages } = await drain(source.readAll("user"));
        expect(records.map(({ nativeId }) => nativeId)).toEqual(people.map((_, number) => guid(number)));
        expect(pages).toBe(3);
        expect(end).toMatchObject({ finalCursor: true, count: 2345, cursor: { way: "uSNChanged", invocationId: guid(7), usn: "4711" } });
        expect(await source.count?.("user")).toBe(2345);
      },
      { settings: { pageSize: 5000 } },
    );
  });

  test("members are always asked for by range, and read to the last", async () => {
    const members = Array.from({ length: 4000 }, (_, number) => extended(number + 10, `CN=p${number},OU=People,${BASE}`));
    await withController(
      (search) =>
        search.base.includes("OU=Groups") || search.attributes.some((name) => name.startsWith("member"))
          ? { entries: [groupOf(members, search)], cookie: "" }
          : { cookie: "" },
      async (source, searches) => {
        const { records } = await drain(source.readAll("group"));
        expect(records[0]?.members).toEqual({ set: members.map((_, number) => guid(number + 10)) });
        const asked = searches.flatMap((search) => search.attributes.filter((name) => name.startsWith("member")));
        expect(asked).toEqual(["member;range=0-*", "member;range=1500-*", "member;range=3000-*"]);
      },
    );
  });

  test("invariant 1: partitions without people don't make a read incomplete, a child domain does", async () => {
    const references = ["DomainDnsZones", "ForestDnsZones"].map((zone) => `ldap://ad.example.org/DC=${zone},${BASE}`);
    const configuration = `ldap://ad.example.org/CN=Configuration,${BASE}`;
    const read = (more: string[]) =>
      withController(
        () => ({ entries: [person(1)], references: [...references, configuration, ...more], cookie: "" }),
        (source) => drain(source.readAll("user")),
      );
    expect((await read([])).end.finalCursor).toBe(true);
    await expect(read([`ldap://child.ad.example.org/DC=child,${BASE}`])).rejects.toMatchObject({
      kind: "misconfigured",
      message: expect.stringMatching(/DC=child/),
    });
  });

  test("invariant 1: a read that another domain controller would go on with is no read", async () => {
    const other = SERVICE.replace("DC1", "DC2");
    const read = withController(
      () => ({ entries: [person(1)], cookie: "" }),
      (source) => drain(source.readAll("user")),
      { services: [SERVICE, SERVICE, other] },
    );
    const error = await read.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({
      kind: "transient",
      message: expect.stringMatching(/Another domain controller answered \(dc2\..*Name one/),
    });
  });

  test("where the domain controller hides its invocationId there are no increments, and the read is whole all the same", async () => {
    const fake = await startFakeLdap((search) => (search.base === SERVICE ? {} : { entries: [person(1)], cookie: "" }), root);
    const settings = ldapSettings.parse({ url: fake.url, users: { base: `OU=People,${BASE}` } });
    const source = await openLdapSource({ settings, log: silentLog, signal: new AbortController().signal, now: () => new Date() });
    const { end } = await drain(source.readAll("user"));
    expect(end).toEqual({ finalCursor: true, count: 1 });
    await source.close();
    await fake.stop();
  });

  test("a directory that has no DirSync is read by number", async () => {
    await withController(
      (search) => (search.controls.includes("1.2.840.113556.1.4.841") ? { result: 12 } : { entries: [person(1)], cookie: "" }),
      async (source) => expect((await drain(source.readAll("user"))).end.cursor).toMatchObject({ way: "uSNChanged" }),
      { settings: { changes: "auto" } },
    );
  });
});
