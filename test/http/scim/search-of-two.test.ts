import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction } from "../../../src/db/database.ts";
import { takeOverSearchTexts } from "../../../src/db/search-texts.ts";
import { erasePerson } from "../../../src/directory/erasure.ts";
import { editPersonHere } from "../../../src/sync/local-people.ts";
import { testContext } from "../../helpers/database.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { keyRing, openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

const ctx = testContext();
let door: Door;
let tokens: readonly string[];
beforeAll(async () => {
  door = await openDoor();
  const most = { count: 1_000_000, share: 1, floor: 1_000_000 };
  const client = async (name: string, precedence: number) => {
    const { rows } = await door.db.pool.query<{ id: number }>(
      "insert into connections (name, connector, precedence, limits, mapping) values ($1, 'scim-inbound', $2, $3, $4) returning id",
      [
        name,
        precedence,
        JSON.stringify({ disable: most, delete: most, window: most }),
        JSON.stringify({
          match: ["employeeNumber", "userName"],
          user: {
            attributes: {
              userName: "account.userName",
              displayName: "account.displayName",
              employeeNumber: `account['${ENTERPRISE}'].employeeNumber`,
              "emails.work": "account.emails[0].value",
            },
          },
        }),
      ],
    );
    return (await door.newToken({ connectionId: rows[0]?.id ?? 0 })).token;
  };
  tokens = [await client("first", 10), await client("second", 20), door.token];
});
afterAll(() => door?.close());

const takeOver = () => takeOverSearchTexts(ctx, door.db);
const WORDS = ["amber", "bramble", "umber", "lumberjack", "ember"] as const;
const word = fc.constantFrom(...WORDS);
const who = { client: fc.nat(2), which: fc.nat(6) };
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("post" as const), word, number: fc.nat(4), ...who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("rename" as const), word, mailed: fc.boolean(), ...who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("login" as const), word, ...who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), ...who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("edit" as const), word, ...who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("erase" as const), ...who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hand over" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("take over" as const), nodes: fc.integer({ min: 1, max: 3 }) }) },
);

interface Shown {
  id: string;
  userName?: string;
  displayName?: string;
  emails?: { value?: string }[];
  [ENTERPRISE]?: { employeeNumber?: string };
}

const listed = async (token: string, filter?: string): Promise<Shown[]> =>
  (
    await door
      .request("GET", `/Users?count=200${filter === undefined ? "" : `&filter=${encodeURIComponent(filter)}`}`, { token })
      .expect(200)
  ).body.Resources;
const holds = (text: string | undefined, part: string) => (text ?? "").toLowerCase().includes(part);
const filtersOf = (part: string): [string, (shown: Shown) => boolean][] => [
  [`userName co "${part}"`, ({ userName }) => holds(userName, part)],
  [`displayName co "${part.toUpperCase()}"`, ({ displayName }) => holds(displayName, part)],
  [`displayName eq "${part}"`, ({ displayName }) => displayName?.toLowerCase() === part],
  [`emails.value co "${part}@"`, ({ emails = [] }) => emails.some(({ value }) => holds(value, `${part}@`))],
  [`emails.value eq "${part}@X.test"`, ({ emails = [] }) => emails.some(({ value }) => value?.toLowerCase() === `${part}@x.test`)],
  [`${ENTERPRISE}:employeeNumber sw "${part}"`, (shown) => (shown[ENTERPRISE]?.employeeNumber ?? "").startsWith(part)],
  [
    `not (displayName co "${part}") and emails.value co "mber@"`,
    ({ displayName, emails = [] }) => !holds(displayName, part) && emails.some(({ value }) => holds(value, "mber@")),
  ],
];

/** Nothing is left in the texts that people are searched by but what is said of them, once. */
async function expectTextsOfNow(): Promise<void> {
  const { rows } = await door.db.pool.query(
    `select 'person' as of, p.id::text from people p left join person_search s on s.person_id = p.id
       where (s.written, s.emails) is distinct from (scim_search_text(p.attributes), scim_search_emails(p.attributes))
     union all select 'person gone', s.person_id::text from person_search s where not exists (select from people p where p.id = s.person_id)
     union all select 'account gone', s.account_id::text from account_search s where not exists (select from accounts a where a.id = s.account_id)
     union all select 'account', a.id::text from accounts a left join account_search s on s.account_id = a.id left join people p on p.id = a.person_id
       where a.kind = 'user' and a.attributes->>'userName' is not null and (s.written, s.emails) is distinct from
         (case when scim_search_text(a.attributes) is distinct from scim_search_text(p.attributes) then scim_search_text(a.attributes) end,
          case when scim_search_text(a.attributes) is distinct from scim_search_text(p.attributes) then scim_search_emails(a.attributes) end)`,
  );
  expect(rows).toEqual([]);
}

test("P6, B7: each client finds exactly whom a walk through all of what it is shown finds, whoever else changes them, and whenever that was taken over", async () => {
  let history = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 18 }),
      whileTimeLasts(async (steps) => {
        history += 1;
        // Whoever was there before stays among them; of each history's own, some change.
        const ids: string[] = [];
        const erased: string[] = [];
        for (const [at, each] of steps.entries()) {
          const token = "client" in each ? (tokens[each.client] ?? "") : "";
          const id = "which" in each ? ids[each.which % Math.max(1, ids.length)] : undefined;
          if (each.do === "take over") await Promise.all(Array.from({ length: each.nodes }, takeOver));
          else if (each.do === "hand over")
            await door.db.pool.query("update connections set precedence = 35 - precedence where name in ('first', 'second')");
          else if (each.do === "post") {
            const profile = { displayName: each.word, emails: [{ value: `${each.word}@x.test` }] };
            const body = {
              schemas: [USER],
              userName: `${each.word}.${history}.${each.number}`,
              ...profile,
              [ENTERPRISE]: { employeeNumber: `${each.word}-${history}-${each.number}` },
            };
            const answer = await door.request("POST", "/Users", { token, body });
            expect([201, 409]).toContain(answer.status);
            if (answer.status === 201 && !ids.includes(answer.body.id)) ids.push(answer.body.id);
          } else if (id === undefined) continue;
          else if (each.do === "rename" || each.do === "login") {
            const value =
              each.do === "login"
                ? { userName: `${each.word}.${history}.login${at}` }
                : { displayName: each.word, ...(each.mailed ? { emails: [{ value: `${each.word}@x.test` }] } : {}) };
            const body = { schemas: [PATCH], Operations: [{ op: "replace", value }] };
            expect([200, 404, 409]).toContain((await door.request("PATCH", `/Users/${id}`, { token, body })).status);
          } else if (each.do === "leave") expect([204, 404]).toContain((await door.request("DELETE", `/Users/${id}`, { token })).status);
          else if (each.do === "edit")
            await inTransaction(door.db, ctx, (work) =>
              editPersonHere(work, { personId: id, keyRing, changes: { nickName: each.word, displayName: each.word } }),
            ).catch((error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/conflict|not_found/) }));
          else if (each.do === "erase") {
            const { rows } = await door.db.pool.query<{ user_name: string }>("select user_name from people where id = $1", [id]);
            await Promise.all([
              takeOver(),
              inTransaction(door.db, ctx, (work) =>
                erasePerson(work, { personId: id, confirm: rows[0]?.user_name ?? "", reason: "asked", force: true, keyRing }),
              ).catch((error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/conflict|not_found/) })),
            ]);
            erased.push(id);
          }
          for (const client of tokens) {
            const all = await listed(client);
            for (const [filter, isMeant] of filtersOf(WORDS[at % WORDS.length] ?? "amber"))
              expect({ filter, ids: (await listed(client, filter)).map((shown) => shown.id).sort() }).toEqual({
                filter,
                ids: all
                  .filter(isMeant)
                  .map((shown) => shown.id)
                  .sort(),
              });
          }
        }
        await takeOver();
        await expectTextsOfNow();
      }),
    ),
    { numRuns: 15 },
  );
});
