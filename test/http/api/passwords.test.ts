import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { answerLink } from "../../../src/auth/links/answer.ts";
import { askForReset, sendReset } from "../../../src/auth/links/forgot.ts";
import { inviteImported } from "../../../src/auth/links/invite-imported.ts";
import { setPassword } from "../../../src/auth/passwords/set.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

const GOOD = "four quiet otters juggle";
const signIn = {
  password: { argon2: { memoryKiB: 64, passes: 1 }, verifications: { atOnce: 1, waiting: 1 } },
  notify: { email: { provider: "smtp" } },
};
const settings = signInSettings.parse(signIn);

let door: ApiDoor;
let organisation: string;
let branch: string;
let helper: { personId: string; token: string };

beforeAll(async () => {
  door = await openApi({ signIn });
  organisation = await door.newUnit({ type: "organization" });
  branch = await door.newUnit({ parentId: organisation });
  helper = await door.newHolder({ role: "rollcall-help-desk", unitId: branch });
});
afterAll(() => door.close());

const made = async (fields: Record<string, unknown>) => {
  const { status, body } = await door.request("POST", "/people", { body: { unitIds: [branch], ...fields } });
  expect(status).toBe(201);
  return (body as { id: string }).id;
};
const emails = (value: string) => [{ value, type: "work", primary: true }];
const noticesOf = async (personId: string) =>
  (
    await door.db.pool.query<{ notice: string }>("select notice from notices where person_id = $1 order by created_at, id", [personId])
  ).rows.map(({ notice }) => notice);
const choose = (link: string | null, password = GOOD) =>
  door.work((work) => answerLink(work, { token: link?.split("#")[1] ?? "", password, keyRing, settings: settings.password }));
const as = (token: string, body?: unknown) => ({ token, ...(body === undefined ? {} : { body }) });

test("G1: saving a new person sends an invitation; it can be sent again, shown, and taken back", async () => {
  const id = await made({ userName: "grace", state: "invited", emails: emails("grace@example.com") });
  expect(await noticesOf(id)).toEqual(["invitation"]);
  const again = await door.request("POST", `/people/${id}/invitation`, as(helper.token, {}));
  expect(again).toMatchObject({ status: 201, body: { link: null } });
  expect(await noticesOf(id)).toEqual(["invitation", "invitation"]);
  const shown = await door.request("POST", `/people/${id}/invitation`, as(helper.token, { delivery: "show" }));
  expect(shown).toMatchObject({ status: 201, body: { link: expect.stringContaining("/login/link#") } });
  // Who did not hear the answer asks again, and gets the same link.
  const headers = { "Idempotency-Key": "shown-once" };
  const asked = () => door.request("POST", `/people/${id}/invitation`, { ...as(helper.token, { delivery: "show" }), headers });
  const [first, second] = [await asked(), await asked()];
  expect([first.status, second.body, second.headers["idempotency-replayed"]]).toEqual([201, first.body, "true"]);
  const { body: standing } = await door.request("GET", `/people/${id}/password`, as(helper.token));
  expect(standing).toMatchObject({ setAt: null, links: [{ purpose: "invitation", state: "open", delivery: "shown" }] });
  expect(JSON.stringify(standing)).not.toContain((shown.body as { link: string }).link.split("#")[1]);
  expect(await door.request("DELETE", `/people/${id}/invitation`, as(helper.token, { reason: "wrong person" }))).toMatchObject({
    status: 204,
  });
  expect(await door.request("DELETE", `/people/${id}/invitation`, as(helper.token, { reason: "again" }))).toMatchObject({ status: 404 });
  await expect(choose((shown.body as { link: string }).link)).rejects.toMatchObject({ code: "forbidden" });
  expect(await noticesOf(await made({ userName: "active", emails: emails("active@example.com") }))).toEqual([]);
});

test("G2: reset links and temporary passwords are for who may come in, and are shown once", async () => {
  const id = await made({ userName: "hedy", emails: emails("hedy@example.com") });
  const { body } = await door.request("POST", `/people/${id}/password-reset`, as(helper.token, { delivery: "show" }));
  await choose((body as { link: string }).link);
  expect((await door.request("GET", `/people/${id}/password`, as(helper.token))).body).toMatchObject({ setAt: expect.any(String) });
  expect(await door.request("POST", `/people/${id}/invitation`, as(helper.token, {}))).toMatchObject({ status: 409 });
  const temporary = await door.request("POST", `/people/${id}/temporary-password`, as(helper.token, { reason: "lost phone" }));
  expect(temporary).toMatchObject({ status: 201, body: { password: expect.stringMatching(/^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/) } });
  const { rows } = await door.db.pool.query<{ all: string }>(
    "select string_agg(e::text, '') as all from audit_events e where subject_id = $1",
    [id],
  );
  expect(rows[0]?.all).not.toContain((temporary.body as { password: string }).password);
  await door.request("POST", `/people/${id}/suspend`, { body: { reason: "away" } });
  for (const [path, given] of [["password-reset", {}] as const, ["temporary-password", { reason: "x" }] as const])
    expect(await door.request("POST", `/people/${id}/${path}`, as(helper.token, given))).toMatchObject({ status: 409 });
});

test("G2: temporary passwords are made in their turn among all who have one looked at; whoever would be beyond it is sent away", async () => {
  const id = await made({ userName: "queued" });
  const holding = await door.db.pool.connect();
  await holding.query("begin");
  await holding.query("select from people where id = $1 for update", [id]);
  // One works, and waits for the row; one waits for its turn.
  const asked = [1, 2, 3].map(async () => door.request("POST", `/people/${id}/temporary-password`, as(helper.token, { reason: "lost" })));
  const { status, headers } = await Promise.race(asked);
  await holding.query("commit");
  holding.release();
  expect([status, Number(headers["retry-after"]) > 0]).toEqual([503, true]);
  expect((await Promise.all(asked)).map((each) => each.status).toSorted()).toEqual([201, 201, 503]);
});

test("G2: nobody takes over who holds more, sees others' credentials out of reach, or goes round their own password", async () => {
  const { personId: chief } = await door.newHolder({ role: "rollcall-administrator", unitId: branch });
  await door.work(({ sql }) =>
    sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, now(), now())", [chief, branch]),
  );
  const calls = [
    ["POST", "password-reset", { delivery: "show" }],
    ["POST", "password-reset", { delivery: "send" }],
    ["POST", "temporary-password", { reason: "x" }],
    ["DELETE", "password-reset", { reason: "x" }],
  ] as const;
  for (const [method, path, body] of calls) {
    expect(await door.request(method, `/people/${chief}/${path}`, as(helper.token, body))).toMatchObject({ status: 403 });
    const outside = await door.newPerson();
    expect(await door.request(method, `/people/${outside}/${path}`, as(helper.token, body))).toMatchObject({ status: 404 });
    const { status } = await door.request(method, `/people/${helper.personId}/${path}`, as(helper.token, body));
    expect([403, 404]).toContain(status);
  }
  const own = await door.request("GET", `/people/${helper.personId}/password`, as(helper.token));
  expect(own).toMatchObject({ status: 200, body: { setAt: null } });
});

test("G2: whoever writes their own address into somebody's profile is not sent the link to set that one's password", async () => {
  const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: branch });
  const sent = async (name: string) => {
    await door.db.pool.query("delete from graphile_worker._private_jobs");
    await door.work((work) => askForReset(work, { name, keyRing }));
    const { rows } = await door.db.pool.query<{ payload: { name: string } }>("select payload from graphile_worker._private_jobs");
    return door.work((work) =>
      sendReset(work, { name: rows[0]?.payload.name ?? "", keyRing, settings, baseUrl: "https://rollcall.example.com" }),
    );
  };
  const edit = async (id: string, by: string, body: unknown) => {
    const { headers } = await door.request("GET", `/people/${id}`);
    const answer = await door.request("PATCH", `/people/${id}`, {
      token: by,
      body,
      headers: { "If-Match": String(headers["etag"]) },
    });
    expect(answer.status).toBe(200);
  };
  const id = await made({ userName: "victim", emails: emails("victim@example.com") });
  await door.work((work) => setPassword(work, { personId: id, password: GOOD, how: "changed", keyRing, settings: settings.password }));
  door.clock.forward(1000);
  await edit(id, token, { title: "Director" });
  expect(await sent("victim")).toBe(true);
  door.clock.forward(3_600_000);
  await edit(id, token, { emails: emails("mallory@example.com") });
  expect(await sent("victim")).toBe(false);
  door.clock.forward(1000);
  await door.work((work) =>
    setPassword(work, { personId: id, password: "seven bold herons whisper", how: "changed", keyRing, settings: settings.password }),
  );
  door.clock.forward(3_600_000);
  // Who does not know of the address has not confirmed it.
  expect(await sent("victim")).toBe(false);
  const byLink = async (password: string) => {
    const { body } = await door.request("POST", `/people/${id}/password-reset`, { body: { delivery: "show" } });
    const [, code = ""] = String((body as { link: unknown }).link).split("#");
    door.clock.forward(1000);
    await door.work((work) => answerLink(work, { token: code, password, keyRing, settings: settings.password }));
    door.clock.forward(3_600_000);
  };
  await byLink("nine plain walruses yodel");
  expect(await sent("victim")).toBe(true);
  const { body: preview } = await door.request("POST", "/people/imports", {
    token,
    body: Buffer.from("userName,email\nvictim,mallory2@example.com\n"),
    headers: { "Content-Type": "text/csv" },
  });
  const { id: importId, hash } = preview as { id: string; hash: string };
  expect(await door.request("POST", `/people/imports/${importId}/apply`, { token, body: { hash, reason: "x" } })).toMatchObject({
    status: 200,
  });
  door.clock.forward(3_600_000);
  expect(await sent("victim")).toBe(false);
});

test("G1: those whom a file makes as invited are invited, once, however often the job comes", async () => {
  const file = [
    "userName,email,state",
    "katherine,katherine@example.com,invited",
    "dorothy,dorothy@example.com,active",
    "mary,,invited",
  ].join("\n");
  const { body: preview } = await door.request("POST", "/people/imports", {
    body: Buffer.from(file),
    headers: { "Content-Type": "text/csv" },
  });
  const { id: importId, hash } = preview as { id: string; hash: string };
  const applied = await door.request("POST", `/people/imports/${importId}/apply`, { body: { hash, reason: "newcomers" } });
  expect(applied.status).toBe(200);
  const { rows } = await door.db.pool.query<{ payload: unknown }>(
    "select j.payload from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'invite_imported'",
  );
  expect(rows).toEqual([{ payload: { importId } }]);
  const invite = () =>
    inviteImported(testContext({ now: door.clock.now }), {
      db: door.db,
      keyRing,
      settings,
      baseUrl: "https://rollcall.example.com",
      importId,
    });
  expect(await invite()).toBe(1);
  expect(await invite()).toBe(0);
  const { rows: told } = await door.db.pool.query(
    "select p.user_name::text as name from notices n join people p on p.id = n.person_id where n.notice = 'invitation' and p.user_name in ('katherine', 'dorothy', 'mary')",
  );
  expect(told).toEqual([{ name: "katherine" }]);
});
