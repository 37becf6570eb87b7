import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { chaos, CHAOS_SEED } from "../helpers/chaos.ts";
import { sambaIsHere } from "../helpers/samba.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";
import { connectDomain, type ConnectedDomain } from "./connected-domain.ts";

const described = sambaIsHere() ? describe : describe.skip;

const who = fc.nat(7);
const group = fc.nat(2);
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("person" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("rename" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("title" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("flags" as const), who, enabled: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("move" as const), who, to: fc.constantFrom("in" as const, "unit" as const, "out" as const) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("delete" as const), who }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("join" as const), who, group }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("leave" as const), who, group }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("nest" as const), group, into: group }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("primary" as const), who, group }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("rename unit" as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("run" as const),
      mode: fc.constantFrom("full" as const, "incremental" as const),
      abortAt: fc.option(fc.constantFrom("read people", "read groups", "list ids", "sweep", "apply"), { nil: undefined }),
      breakAfter: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

/** Names are never used twice, though the histories of a domain follow each other. */
let made = 0;
const fresh = () => `x${++made}`;

/** One history in a domain: everything is known by its objectGUID, as names come and go. */
function history({ domain, sync, wire }: ConnectedDomain) {
  const people = new Map<number, string>();
  const groups = new Map<number, string>();
  let unit = "";
  const groupOf = async (number: number) => {
    const id = groups.get(number) ?? (await domain.addGroup(fresh()));
    groups.set(number, id);
    return domain.dnOf(id);
  };
  const unitDn = async () => {
    if (unit === "") unit = await domain.addUnit(fresh(), domain.people);
    return domain.dnOf(unit);
  };

  async function happen(each: Exclude<Event, { type: "run" }>): Promise<void> {
    if (each.type === "rename unit") return domain.admin.modifyDN(await unitDn(), `OU=${fresh()},${domain.people}`);
    if (each.type === "nest") {
      const [inner, outer] = [await groupOf(each.group), await groupOf(each.into)];
      // Circles are the directory's business; there are none here.
      if (each.group < each.into && !(await domain.values(outer, "member")).includes(inner))
        await domain.change(outer, "add", "member", inner);
      return;
    }
    const id = people.get(each.who);
    if (each.type === "person") {
      if (id === undefined) people.set(each.who, await domain.addPerson(fresh()));
      return;
    }
    if (id === undefined) return;
    const dn = await domain.dnOf(id);
    const above = dn.slice(dn.indexOf(",") + 1);
    if (each.type === "rename") return domain.admin.modifyDN(dn, `CN=${fresh()},${above}`);
    if (each.type === "title") return domain.replace(dn, "title", [fresh()]);
    if (each.type === "flags") return domain.replace(dn, "userAccountControl", [each.enabled ? "512" : "514"]);
    if (each.type === "move") {
      const to = { in: domain.people, unit: await unitDn(), out: `CN=Users,${domain.baseDn}` }[each.to];
      return to === above ? undefined : domain.admin.modifyDN(dn, `${dn.slice(0, dn.indexOf(","))},${to}`);
    }
    if (each.type === "delete") {
      people.delete(each.who);
      return domain.admin.del(dn);
    }
    const team = await groupOf(each.group);
    const isMember = (await domain.values(team, "member")).includes(dn);
    const isPrimary = (await domain.values(dn, "primaryGroupID"))[0] === (await domain.values(team, "primaryGroupToken"))[0];
    if (each.type === "join" && !isMember && !isPrimary) await domain.change(team, "add", "member", dn);
    if (each.type === "leave" && isMember) await domain.change(team, "delete", "member", dn);
    if (each.type === "primary" && isMember) await domain.replace(dn, "primaryGroupID", await domain.values(team, "primaryGroupToken"));
  }

  /** A run that is stopped or cut off is as if it had not been. */
  async function run({ mode, abortAt, breakAfter }: Extract<Event, { type: "run" }>): Promise<void> {
    const abort = new AbortController();
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === abortAt) abort.abort(new Error("stopped"));
    };
    wire.breakAfter(breakAfter);
    await sync(mode, { signal: abort.signal, onProgress }).catch((error: unknown) => {
      if (!abort.signal.aborted) expect(error).toMatchObject({ name: "Fault" });
    });
    wire.breakAfter(undefined);
  }

  return { happen, run };
}

/** The domain as an administrator sees it, asked of it directly. */
async function actual({ domain }: ConnectedDomain) {
  const found = await domain.admin.search(domain.people, {
    filter: "(objectClass=user)",
    attributes: ["cn", "title", "userAccountControl", "primaryGroupID"],
  });
  const people: Record<string, unknown> = {};
  const primary = new Map<string, string[]>();
  for (const { dn, cn, title, userAccountControl, primaryGroupID } of found.searchEntries) {
    const id = await domain.idOf(dn);
    people[id] = {
      dn,
      cn,
      title: title === undefined || Array.isArray(title) ? null : title,
      active: (Number(userAccountControl) & 2) === 0,
    };
    primary.set(String(primaryGroupID), [...(primary.get(String(primaryGroupID)) ?? []), id]);
  }
  const members: Record<string, string[]> = {};
  for (const { dn } of (await domain.admin.search(domain.groups, { filter: "(objectClass=group)", attributes: ["cn"] })).searchEntries) {
    const [token = ""] = await domain.values(dn, "primaryGroupToken");
    const direct = (await domain.values(dn, "member")).filter((each) => each.endsWith(domain.people) || each.endsWith(domain.groups));
    members[await domain.idOf(dn)] = [...(await Promise.all(direct.map(domain.idOf))), ...(primary.get(token) ?? [])].sort();
  }
  return { people, members };
}

/** The same, as we hold it. */
async function held({ world, memberships }: ConnectedDomain) {
  const { rows } = await world.db.pool.query<{ id: string; dn: string; cn: string; title: string | null; active: boolean }>(
    `select a.native_id as id, a.attributes ->> 'dn' as dn, a.attributes ->> 'cn' as cn, p.attributes ->> 'title' as title, p.active
       from accounts a join people p on p.id = a.person_id where a.kind = 'user' and a.gone_at is null`,
  );
  return { people: Object.fromEntries(rows.map(({ id, ...row }) => [id, row])), members: await memberships() };
}

described(`B9: Active Directory under chaos (Samba; CHAOS_SEED=${CHAOS_SEED})`, () => {
  for (const changes of ["auto", "uSNChanged"] as const) {
    describe(changes === "auto" ? "DirSync" : changes, () => {
      let connected: ConnectedDomain;
      beforeAll(async () => {
        connected = await connectDomain(changes);
      });
      afterAll(() => connected?.stop());

      test(`B9: any history, any schedule of runs, any break: after one more increment we hold what the domain holds (CHAOS_SEED=${CHAOS_SEED})`, async () => {
        const property = fc.asyncProperty(
          fc.array(event, { minLength: 12, maxLength: 30 }),
          whileTimeLasts(async (events) => {
            const { happen, run } = history(connected);
            for (const each of events) await (each.type === "run" ? run(each) : happen(each));
            await connected.sync();
            expect(await held(connected)).toEqual(await actual(connected));
          }),
        );
        // A smaller history would be played in a domain that the larger one has changed: the first failure is the one to look at.
        await fc.assert(property, { ...chaos(2), endOnFailure: true });
      }, 300_000);
    });
  }
});
