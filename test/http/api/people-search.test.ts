import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { giveGrant } from "../../../src/access/grants.ts";
import { reachedPeople, reachOf } from "../../../src/access/policy.ts";
import { listedPeople } from "../../../src/access/reached-people.ts";
import { ENTERPRISE_USER } from "../../../src/directory/attributes.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
});
afterAll(() => door?.close());

interface Named {
  userName: string;
  givenName?: string;
  familyName?: string;
  email?: string;
  phone?: string;
  employeeNumber?: string;
}

async function add({ userName, givenName, familyName, email, phone, employeeNumber }: Named, unitId = top): Promise<string> {
  const attributes = {
    displayName: [givenName, familyName].filter(Boolean).join(" ") || userName,
    name: { givenName, familyName },
    ...(email === undefined ? {} : { emails: [{ value: email, primary: true }] }),
    ...(phone === undefined ? {} : { phoneNumbers: [{ value: phone, type: "mobile" }] }),
    ...(employeeNumber === undefined ? {} : { [ENTERPRISE_USER]: { employeeNumber } }),
  };
  const id = await door.newPerson({ userName, unitId, attributes });
  await door.db.pool.query("update people set display_name = attributes->>'displayName' where id = $1", [id]);
  return id;
}

const found = async (query: string, token?: string): Promise<string[]> =>
  (await door.request("GET", `/people?${query}`, token === undefined ? {} : { token }).expect(200)).body.items.map(
    ({ userName }: { userName: string }) => userName,
  );
const words = (text: string) => `q=${encodeURIComponent(text)}`;

describe("P6: people are found", () => {
  test("by any words of name, address or phone number, without accents, in any order, the best first", async () => {
    await add({
      userName: "soren.kierkegaard",
      givenName: "Søren",
      familyName: "Kierkegård",
      email: "sk@kobenhavn.example",
      phone: "+45 20 30 40 50",
    });
    await add({
      userName: "kier",
      givenName: "Anna",
      familyName: "Nørregaard",
      email: "anna@kierkegard.example",
      employeeNumber: "EMP-204",
    });
    await add({ userName: "mueller", givenName: "Zoë", familyName: "Müller", phone: "(030) 901820" });
    expect(await found(words("soren"))).toEqual(["soren.kierkegaard"]);
    expect(await found(words("KIERKEGARD søren"))).toEqual(["soren.kierkegaard"]);
    expect(await found(words("egard"))).toEqual(expect.arrayContaining(["soren.kierkegaard", "kier"]));
    expect(await found(words("zoe muller"))).toEqual(["mueller"]);
    expect(await found(words("+45 2030"))).toEqual(["soren.kierkegaard"]);
    expect(await found(words("030 9018"))).toEqual(["mueller"]);
    expect(await found(words("emp-204"))).toEqual(["kier"]);
    expect(await found(words("kobenhavn.example"))).toEqual(["soren.kierkegaard"]);
    // The login itself before those who only contain it.
    expect((await found(words("kier")))[0]).toBe("kier");
    // Two letters are beginnings of words.
    expect(await found(words("zo"))).toEqual(["mueller"]);
    expect(await found(words("oe"))).toEqual([]);
    expect(await found(words("100%"))).toEqual([]);
    expect(await found(words("_____"))).toEqual([]);
  });

  test("a sign of which nothing stays without accents finds nobody by itself, and takes nobody from the words beside it", async () => {
    await add({ userName: "accented", givenName: "José", familyName: "Wanjirũ" });
    expect(await found(words("\u0301"))).toEqual([]);
    expect(await found(words("\u0301 \u0303"))).toEqual([]);
    expect(await found(words("wanjiru \u0301"))).toEqual(["accented"]);
  });

  test("what is found is what a naive search finds, whatever the words; pages hold each of them once", async () => {
    const parts = ["ann", "anna", "berg", "ö", "lund", "bø", "quist", "x"];
    const part = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 3 }).map((each) => each.join(""));
    const unit = await door.newUnit({ parentId: top });
    const people = fc.sample(fc.record({ givenName: part, familyName: part }), 60);
    const texts = new Map<string, string[]>();
    for (const [at, { givenName, familyName }] of people.entries()) {
      const userName = `n${at}`;
      await add({ userName, givenName, familyName }, unit);
      texts.set(userName, [userName, `${givenName} ${familyName}`].map(fold));
    }
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(part, fc.constantFrom("be", "an", "n1", "x")), { minLength: 1, maxLength: 3 }), async (asked) => {
        const naive = [...texts]
          .filter(([, lines]) => asked.every((word) => lines.some((line) => matches(line, fold(word)))))
          .map(([name]) => name);
        const all: string[] = [];
        let cursor = "";
        do {
          const { body } = await door
            .request("GET", `/people?unit=${unit}&limit=7&count=true&${words(asked.join(" "))}${cursor}`)
            .expect(200);
          expect(body.total).toBe(naive.length);
          all.push(...body.items.map(({ userName }: { userName: string }) => userName));
          cursor = body.next === null ? "" : `&cursor=${body.next}`;
        } while (cursor !== "");
        expect([...all].sort()).toEqual(naive.sort());
      }),
      { numRuns: 20 },
    );
  });

  test("by unit with what is below, role, group, manager, state, origin, and all of them together; in every order", async () => {
    const unit = await door.newUnit({ parentId: top });
    const below = await door.newUnit({ parentId: unit });
    const manager = await add({ userName: "f-manager" }, unit);
    const [one, two, three] = [
      await add({ userName: "f-one" }, unit),
      await add({ userName: "f-two" }, below),
      await add({ userName: "f-three" }, below),
    ];
    await door.db.pool.query("update people set manager_id = $1 where id = any($2::uuid[])", [manager, [one, two]]);
    const { rows } = await door.db.pool.query<{ outer: string; inner: string }>(
      `with made as (insert into groups (id, display_name, created_at, modified_at) select gen_random_uuid(), name, now(), now() from unnest(array['f-outer', 'f-inner']) name returning id, display_name),
         nested as (insert into nestings (parent_group_id, child_group_id, valid_from, recorded_from) select o.id, i.id, now(), now() from made o, made i where o.display_name = 'f-outer' and i.display_name = 'f-inner')
       select o.id as outer, i.id as inner from made o, made i where o.display_name = 'f-outer' and i.display_name = 'f-inner'`,
    );
    const [groups] = rows;
    await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, now(), now())", [
      groups?.inner,
      three,
    ]);
    await door.work((work) => giveGrant(work, { personId: one, role: "rollcall-auditor", unit }));
    await door.work((work) => giveGrant(work, { groupId: groups?.outer ?? "", role: "rollcall-auditor", unit }));
    await door.request("POST", `/people/${two}/suspend`, { body: { reason: "x" } }).expect(200);
    const sorted = async (query: string) => (await found(`unit=${unit}&${query}`)).sort();
    expect(await sorted("")).toEqual(["f-manager", "f-one", "f-three", "f-two"]);
    expect(await found(`unit=${below}`)).toEqual(["f-three", "f-two"]);
    expect(await found("role=rollcall-auditor&sort=userName")).toEqual(["f-one", "f-three"]);
    expect(await found(`group=${groups?.outer}`)).toEqual(["f-three"]);
    expect(await sorted(`manager=${manager}`)).toEqual(["f-one", "f-two"]);
    expect(await sorted(`manager=${manager}&state=active`)).toEqual(["f-one"]);
    expect(await sorted("state=suspended")).toEqual(["f-two"]);
    expect(await sorted("active=false")).toEqual(["f-two"]);
    expect(await sorted("origin=local&q=f-t")).toEqual(["f-three", "f-two"]);
    expect(await sorted("origin=nobody")).toEqual([]);
    expect(await found(`unit=${unit}&sort=-userName`)).toEqual(["f-two", "f-three", "f-one", "f-manager"]);
    for (const sort of ["name", "-name", "userName", "-userName", "modified", "-modified"]) {
      const whole = await found(`unit=${unit}&sort=${sort}`);
      const first = await door.request("GET", `/people?unit=${unit}&sort=${sort}&limit=3`).expect(200);
      const second = await door.request("GET", `/people?unit=${unit}&sort=${sort}&limit=3&cursor=${first.body.next}`).expect(200);
      expect([...first.body.items, ...second.body.items].map(({ userName }: { userName: string }) => userName)).toEqual(whole);
      expect(second.body.next).toBeNull();
    }
    await door.request("GET", "/people?sort=shoe-size").expect(422);
  });

  test("who holds a role is told of those only whose grants the caller sees", async () => {
    const unit = await door.newUnit({ parentId: top });
    const holder = await add({ userName: "r-holder" }, unit);
    await door.work((work) => giveGrant(work, { personId: holder, role: "rollcall-help-desk", unit }));
    expect(await found("role=rollcall-help-desk&q=r-holder")).toEqual(["r-holder"]);
    const token = await door.newToken({ permissions: ["rollcall.people.view"], unitIds: [unit] });
    expect(await found("q=r-holder", token)).toEqual(["r-holder"]);
    expect(await found("role=rollcall-help-desk", token)).toEqual([]);
  });

  test("invariant 7: lists hold exactly the people in reach, whatever the units, the teams and the caller", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ unit: fc.option(fc.nat(4)), manager: fc.option(fc.nat(9)) }), { minLength: 4, maxLength: 10 }),
        fc.nat(4),
        async (people, granted) => {
          const units: string[] = [];
          for (let at = 0; at < 5; at += 1) units.push(await door.newUnit({ parentId: units[Math.floor((at - 1) / 2)] ?? top }));
          const ids: string[] = [];
          for (const { unit } of people) ids.push(await door.newPerson(unit === null ? {} : { unitId: units[unit] ?? top }));
          // Circles too.
          for (const [at, { manager }] of people.entries())
            if (manager !== null)
              await door.db.pool.query("update people set manager_id = $2 where id = $1", [ids[at], ids[manager % ids.length]]);
          const [personId = ""] = ids;
          await door.work((work) => giveGrant(work, { personId, role: "rollcall-help-desk", unit: units[granted] ?? top }));
          const caller = { actor: `person:${personId}` as const, credential: "test", personId, permissions: null, unitIds: null };
          for (const permission of ["rollcall.people.view", "rollcall.people.lifecycle"] as const) {
            const reach = await reachOf(door.db.pool, { caller, permission, at: door.clock.now() });
            const wanted = await among(reachedPeople(reach, { person: "p", from: 1 }));
            const { text, values, ids: query } = listedPeople(reach, { from: 1 });
            expect(await among({ text, values })).toEqual(wanted);
            expect(await among({ text: `p.id in (${query})`, values })).toEqual(wanted);
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  test("invariant 7: whoever reaches the organisation's tree reaches everybody, and nobody of another tree once there is one", async () => {
    const personId = await door.newPerson({});
    await door.work((work) => giveGrant(work, { personId, role: "rollcall-help-desk", unit: top }));
    const caller = { actor: `person:${personId}` as const, credential: "test", personId, permissions: null, unitIds: null };
    const listed = async () => {
      const reach = await reachOf(door.db.pool, { caller, permission: "rollcall.people.view", at: door.clock.now() });
      expect(reach.organisation).toBe(true);
      const all = await among(listedPeople(reach, { from: 1 }));
      expect(all).toEqual(await among(reachedPeople(reach, { person: "p", from: 1 })));
      return all;
    };
    expect(await listed()).toEqual(await among({ text: "true", values: [[], null, null] }));
    const other = await door.newPerson({ unitId: await door.newUnit({ name: "Another", type: "organization" }) });
    expect(await listed()).toEqual(await among({ text: "p.id <> $2::uuid", values: [[], other, null] }));
  });

  test("within the caller's units only, whatever is asked; a cursor says nothing of anybody, and none is made", async () => {
    const [mine, theirs] = [await door.newUnit({ parentId: top }), await door.newUnit({ parentId: top })];
    await add({ userName: "w-in", givenName: "Secretname", familyName: "One" }, mine);
    await add({ userName: "w-in2", givenName: "Secretname", familyName: "Two" }, mine);
    await add({ userName: "w-out", givenName: "Secretname", familyName: "Three" }, theirs);
    const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: mine });
    expect(await found(words("secretname"), token)).toEqual(["w-in", "w-in2"]);
    await door.request("GET", `/people?unit=${theirs}`, { token }).expect(404);
    const { body } = await door.request("GET", `/people?limit=1&count=true&${words("secretname")}`, { token }).expect(200);
    expect(body.total).toBe(2);
    const decoded = Buffer.from(body.next, "base64url").toString("utf8");
    expect(decoded.toLowerCase()).not.toContain("secretname");
    await door.request("GET", `/people?sort=modified&cursor=${body.next}`, { token }).expect(422);
    await door.request("GET", "/people?cursor=bm9uZQ", { token }).expect(422);
    const narrow = await door.newToken({ permissions: ["rollcall.people.view"], unitIds: [theirs] });
    expect(await found("", narrow)).toEqual(["w-out"]);
  });
});

/** Ids of the people whom a condition on `p` holds of. */
async function among({ text, values }: { text: string; values: unknown[] }): Promise<string[]> {
  // Every parameter stands somewhere.
  const { rows } = await door.db.pool.query<{ id: string }>(
    `select p.id from people p where ${text} or (false and $1::ltree[] is null and $2::uuid is null and $3::uuid is null) order by p.id`,
    values,
  );
  return rows.map(({ id }) => id);
}

/** As the folding of the names used here. */
function fold(text: string): string {
  return text.toLowerCase().replaceAll("ö", "o").replaceAll("ø", "o");
}

function matches(line: string, word: string): boolean {
  if (word.length > 2) return line.includes(word);
  return line.split(" ").some((each) => each.startsWith(word));
}
