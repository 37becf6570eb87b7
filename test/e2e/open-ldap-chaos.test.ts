import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openBreakingWire, type BreakingWire } from "../helpers/breaking-wire.ts";
import { chaos, CHAOS_SEED } from "../helpers/chaos.ts";
import { openDirectory, type Directory } from "../helpers/ldap.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";
import { connectUpstream, type Connected } from "./upstream.ts";

const who = fc.nat(7);
const group = fc.nat(2);
const unit = fc.nat(2);
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("person" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("rename" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("title" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("lock" as const), who, locked: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("move" as const), who, unit: fc.option(unit, { nil: undefined }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("delete" as const), who }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("join" as const), who, group }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("leave" as const), who, group }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("run" as const),
      mode: fc.constantFrom("full" as const, "incremental" as const),
      abortAt: fc.option(fc.constantFrom("read people", "read groups", "list ids", "sweep", "apply"), { nil: undefined }),
      breakAfter: fc.option(fc.integer({ min: 0, max: 12_000 }), { nil: undefined }),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

let directory: Directory;
let wire: BreakingWire;
let connected: Connected;

/** Names are never used twice, though the histories of a directory follow each other. */
let made = 0;
const fresh = () => `x${++made}`;

/** One history in a directory: everything is known by its entryUUID, as names come and go. */
function history() {
  const people = new Map<number, string>();
  const kept = async (known: Map<number, string>, number: number, make: () => Promise<string>) => {
    const id = known.get(number) ?? (await make());
    known.set(number, id);
    return directory.dnOf(id);
  };
  const [groups, units] = [new Map<number, string>(), new Map<number, string>()];
  // A groupOfNames is never empty: the directory's own people are its first member.
  const groupOf = (number: number) => kept(groups, number, () => directory.addGroup(fresh(), [directory.people]));
  const unitOf = (number: number) =>
    kept(units, number, async () => {
      const ou = fresh();
      await directory.admin.add(`ou=${ou},${directory.people}`, { objectClass: "organizationalUnit", ou });
      return directory.idOf(`ou=${ou},${directory.people}`);
    });
  /** slapd keeps no references in step: whoever moves or goes is taken along by the administrator. */
  const everywhere = async (from: string, to: string | undefined) => {
    for (const id of groups.values()) {
      const dn = await directory.dnOf(id);
      const members = await directory.values(dn, "member");
      if (members.includes(from))
        await directory.replace(dn, "member", [...members.filter((each) => each !== from), ...(to === undefined ? [] : [to])]);
    }
  };

  async function happen(each: Exclude<Event, { type: "run" }>): Promise<void> {
    const id = people.get(each.who);
    if (each.type === "person") {
      if (id === undefined) people.set(each.who, await directory.addPerson(fresh()));
      return;
    }
    if (id === undefined) return;
    const dn = await directory.dnOf(id);
    if (each.type === "title") return directory.replace(dn, "title", [fresh()]);
    if (each.type === "lock") return directory.replace(dn, "pwdAccountLockedTime", each.locked ? ["000001010000Z"] : []);
    if (each.type === "rename" || each.type === "move") {
      const [name = "", ...above] = dn.split(",");
      const below = each.type === "rename" ? above.join(",") : each.unit === undefined ? directory.people : await unitOf(each.unit);
      const to = `${each.type === "rename" ? `uid=${fresh()}` : name},${below}`;
      if (to === dn) return;
      await directory.admin.modifyDN(dn, to);
      return everywhere(dn, to);
    }
    if (each.type === "delete") {
      people.delete(each.who);
      await directory.admin.del(dn);
      return everywhere(dn, undefined);
    }
    const team = await groupOf(each.group);
    const members = await directory.values(team, "member");
    if (each.type === "join" && !members.includes(dn)) await directory.replace(team, "member", [...members, dn]);
    if (each.type === "leave" && members.includes(dn))
      await directory.replace(
        team,
        "member",
        members.filter((member) => member !== dn),
      );
  }

  /** A run that is stopped or cut off is as if it had not been. */
  async function run({ mode, abortAt, breakAfter }: Extract<Event, { type: "run" }>): Promise<void> {
    const abort = new AbortController();
    wire.breakAfter(breakAfter);
    await connected
      .sync(mode, { signal: abort.signal, onProgress: ({ stage }) => (stage === abortAt ? abort.abort(new Error("stopped")) : undefined) })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) expect(error).toMatchObject({ name: "Fault" });
      });
    wire.breakAfter(undefined);
  }

  return { happen, run };
}

const byId = <T extends { id: string }>(rows: readonly T[]) => Object.fromEntries(rows.map(({ id, ...row }) => [id, row]));

/** The directory as an administrator sees it, asked of it directly. */
async function actual() {
  const search = async (base: string, objectClass: string) =>
    (
      await directory.admin.search(base, {
        filter: `(objectClass=${objectClass})`,
        attributes: ["entryUUID", "uid", "title", "member", "pwdAccountLockedTime"],
      })
    ).searchEntries;
  const found = await search(directory.people, "inetOrgPerson");
  const idOf = new Map(found.map(({ dn, entryUUID }) => [dn, String(entryUUID)]));
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  const members = (value: unknown) => (Array.isArray(value) ? value : [value]).flatMap((each) => idOf.get(String(each)) ?? []).sort();
  return {
    people: byId(
      found.map(({ dn, entryUUID, uid, title, pwdAccountLockedTime }) => ({
        ...{ id: String(entryUUID), dn, uid: text(uid), title: text(title) },
        active: text(pwdAccountLockedTime) === null,
      })),
    ),
    groups: byId(
      (await search(directory.groups, "groupOfNames")).map(({ entryUUID, member }) => ({
        id: String(entryUUID),
        members: members(member),
      })),
    ),
  };
}

/** The same, as we hold it. */
async function held() {
  const { pool } = connected.world.db;
  const people = await pool.query<{ id: string }>(
    `select a.native_id as id, a.attributes ->> 'dn' as dn, p.user_name::text as uid, p.attributes ->> 'title' as title, p.active
       from accounts a join people p on p.id = a.person_id where a.kind = 'user' and a.gone_at is null`,
  );
  const groups = await pool.query<{ id: string }>(
    `select g.native_id as id, array(select a.native_id from memberships m join accounts a on a.id = m.account_id
         where m.group_id = g.group_id and m.recorded_to is null and m.valid_to is null order by a.native_id collate "C") as members
       from accounts g where g.kind = 'group' and g.gone_at is null`,
  );
  return { people: byId(people.rows), groups: byId(groups.rows) };
}

describe(`B9: OpenLDAP under chaos (slapd; CHAOS_SEED=${CHAOS_SEED})`, () => {
  beforeAll(async () => {
    directory = await openDirectory();
    wire = await openBreakingWire({ host: "127.0.0.1", port: Number(new URL(directory.tlsUrl).port) });
    // A directory without anybody, or without a group, is not believed.
    await directory.addPerson("always");
    await directory.addGroup("there", [`uid=always,${directory.people}`]);
    connected = await connectUpstream({
      shipped: "openldap",
      settings: (shipped) => ({
        ...shipped,
        url: `ldaps://127.0.0.1:${wire.port}`,
        caFile: directory.caFile,
        bindDn: directory.bindDn,
        bindPassword: directory.bindPassword,
        users: { ...shipped["users"], base: directory.people },
        groups: { base: directory.groups },
        units: { base: directory.people },
        disable: { kind: "ppolicy" },
        pageSize: 3,
        groupPageSize: 2,
      }),
      mapped: { active: "!has(account.pwdAccountLockedTime)" },
      stop: async () => {
        await wire.stop();
        await directory.stop();
      },
    });
  });
  afterAll(() => connected?.stop());

  test(`B9: any history, any schedule of runs, any break: after one more increment we hold what the directory holds (CHAOS_SEED=${CHAOS_SEED})`, async () => {
    const property = fc.asyncProperty(
      fc.array(event, { minLength: 12, maxLength: 30 }),
      whileTimeLasts(async (events) => {
        const { happen, run } = history();
        for (const each of events) await (each.type === "run" ? run(each) : happen(each));
        await connected.sync();
        expect(await held()).toEqual(await actual());
      }),
    );
    // A smaller history would be played in a directory that the larger one has changed: the first failure is the one to look at.
    await fc.assert(property, { ...chaos(4), endOnFailure: true });
  }, 300_000);
});
