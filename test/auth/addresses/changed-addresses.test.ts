import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { answerByLink, confirmOwnAddress, findTold } from "../../../src/auth/addresses/answer.ts";
import { shownAddress } from "../../../src/auth/addresses/shown-address.ts";
import { unsettled, unsettledAddress, type AddressChange } from "../../../src/auth/addresses/standing.ts";
import { tellChanges, wakeTelling } from "../../../src/auth/addresses/tell-changes.ts";
import { askForReset, sendReset } from "../../../src/auth/links/forgot.ts";
import { setPassword } from "../../../src/auth/passwords/set.ts";
import { connectionDefinitionSchema } from "../../../src/connections/definition.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { openNotice, tellPerson } from "../../../src/directory/notices.ts";
import { personKeys } from "../../../src/directory/personal.ts";
import { signInSettings, type SignInSettings } from "../../../src/sign-in-settings.ts";
import { runSync } from "../../../src/sync/run.ts";
import { testContext } from "../../helpers/database.ts";
import { world as worldOf, worldSource } from "../../helpers/memory-source.ts";
import { person } from "../../helpers/sync.ts";
import { openApi, type ApiDoor } from "../../http/api/api-door.ts";
import { keyRing } from "../../http/scim/door.ts";

const HOUR = 3_600_000;
const PASSWORD = "four quiet otters juggle";
const signIn = { password: { argon2: { memoryKiB: 64, passes: 1 } }, notify: { email: { provider: "smtp" } } };
const settings = signInSettings.parse(signIn);
const baseUrl = "https://rollcall.example.com";

let door: ApiDoor;
let branch: string;
let world: Map<string, string>;
beforeAll(async () => {
  door = await openApi({ signIn });
  branch = await door.newUnit({ parentId: await door.newUnit({ type: "organization" }) });
  world = new Map();
  const mapping = { user: { attributes: { userName: "account.uid", displayName: "account.cn", "emails.work": "account.mail" } } };
  const definition = connectionDefinitionSchema.parse({ name: "corp", connector: "scim-inbound", mapping, limits: {}, policy: {} });
  await door.work((work) => addConnection(work, { definition, keyRing }));
});
afterAll(() => door?.close());

const emails = (value: string) => [{ value, type: "work", primary: true }];
const givePassword = (personId: string) =>
  door.work((work) => setPassword(work, { personId, password: PASSWORD, how: "changed", keyRing, settings: settings.password }));
const idOf = async (userName: string) => {
  const { rows } = await door.db.pool.query<{ id: string }>("select id from people where user_name = $1", [userName]);
  return rows[0]?.id ?? "";
};
const sync = () =>
  runSync(testContext({ now: door.clock.now }), {
    db: door.db,
    keyRing,
    connection: "corp",
    mode: "full",
    trigger: "cli",
    source: worldSource(worldOf([...world].map(([uid, mail]) => person(uid, { mail })))),
  });
const forget = async (name: string, using: SignInSettings = settings) => {
  await door.db.pool.query("delete from graphile_worker._private_jobs");
  await door.work((work) => askForReset(work, { name, keyRing }));
  const { rows } = await door.db.pool.query<{ payload: { name: string } }>("select payload from graphile_worker._private_jobs");
  return door.work((work) => sendReset(work, { name: rows[0]?.payload.name ?? "", keyRing, settings: using, baseUrl }));
};
const tell = async (addresses: Partial<SignInSettings["addresses"]> = {}) => {
  let told = 0;
  for (let some = 1; some > 0; told += some)
    some = await door.work((work) => tellChanges(work, { keyRing, settings: { ...settings.addresses, ...addresses }, baseUrl }));
  return told;
};
const toldOf = async (personId: string) => {
  const { rows } = await door.db.pool.query<{ id: string; content: string }>(
    "select id, content from notices where person_id = $1 and notice = 'address.changed' order by created_at, id",
    [personId],
  );
  const key = await door.work(async (work) => (await personKeys(work, keyRing, [personId])).get(personId));
  if (!key) throw new Error("no key");
  return rows.map(({ id, content }) => openNotice(key, { id, sealed: content }));
};
const told = async (personId: string) => {
  await door.work((work) => tellPerson(work, { keyRing, personId, notice: "password.changed" }));
  const { rows } = await door.db.pool.query<{ id: string; content: string }>(
    "delete from notices where person_id = $1 and notice = 'password.changed' returning id, content",
    [personId],
  );
  const key = await door.work(async (work) => (await personKeys(work, keyRing, [personId])).get(personId));
  if (!key) throw new Error("no key");
  return rows.map(({ id, content }) => openNotice(key, { id, sealed: content }).address).sort();
};
const waits = (personId: string, addresses: Partial<SignInSettings["addresses"]> = {}) =>
  unsettledAddress(door.db.pool, { personId, now: door.clock.now(), settings: { ...settings.addresses, ...addresses } });
const change = async (id: string, token: string, value: string) => {
  const { headers } = await door.request("GET", `/people/${id}`);
  const body = { emails: emails(value) };
  return door.request("PATCH", `/people/${id}`, { token, body, headers: { "If-Match": String(headers["etag"]) } });
};
const scim = async (method: string, path: string, body: unknown): Promise<{ id: string }> => {
  const token = await door.newToken({ scope: "scim" });
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/scim+json" };
  const answer = await fetch(`${door.url}/scim/v2${path}`, { method, headers, body: JSON.stringify(body) });
  expect(answer.status).toBeLessThan(300);
  return (await answer.json()) as { id: string };
};

/** Somebody with a password, and how their address comes to be another. */
const WAYS: Record<string, () => Promise<{ id: string; userName: string; move: (to: string) => Promise<unknown> }>> = {
  "a sync": async () => {
    const userName = `sync-${randomUUID()}`;
    world.set(userName, `${userName}@old.example`);
    await sync();
    return { id: await idOf(userName), userName, move: (to) => (world.set(userName, to), sync()) };
  },
  "a SCIM client": async () => {
    const userName = `scim-${randomUUID()}`;
    const { id } = await scim("POST", "/Users", { userName, emails: emails(`${userName}@old.example`), active: true });
    const operations = (value: string) => ({
      schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
      Operations: [{ op: "replace", path: 'emails[type eq "work"].value', value }],
    });
    return { id: await idOf(userName), userName, move: (to) => scim("PATCH", `/Users/${id}`, operations(to)) };
  },
};

describe.each(Object.entries(WAYS))("an address that %s has changed", (_way, begin) => {
  test("G2, G7: is told to the old one, and no link goes to the new one for a day", async () => {
    const { id, userName, move } = await begin();
    await givePassword(id);
    expect(await waits(id)).toBeUndefined();
    door.clock.forward(HOUR);
    await move(`${userName}@new.example`);
    expect(await waits(id)).toMatchObject({ change: { newAddress: `${userName}@new.example` } });
    expect(await forget(userName)).toBe(false);
    await tell();
    const [notice, ...more] = await toldOf(id);
    expect(more).toEqual([]);
    expect(notice).toMatchObject({ address: `${userName}@old.example`, data: { shown: expect.not.stringContaining(userName) } });
    door.clock.forward(25 * HOUR);
    expect(await forget(userName)).toBe(true);
    await tell();
    expect(await toldOf(id)).toHaveLength(1);
  });
});

test("G2: an administrator's change is told to the old address, too, and goes on to be waited for until the person says that it is theirs", async () => {
  const id = await door.newPerson({ userName: "victim", unitId: branch });
  await change(id, door.token, "victim@old.example");
  await givePassword(id);
  door.clock.forward(HOUR);
  // The address to which links go is nobody's own to change: a session that was taken over can't be made an account.
  expect(await change(id, await door.newToken({ personId: id }), "own@new.example")).toMatchObject({ status: 403 });
  expect(await change(id, door.token, "mallory@new.example")).toMatchObject({ status: 200 });
  await tell();
  expect(await toldOf(id)).toMatchObject([{ address: "victim@old.example" }]);
  const { body: seen } = await door.request("GET", `/people/${id}/password`);
  expect(seen).toMatchObject({ address: { state: "waiting", until: expect.any(String), undeliverable: null } });
  const shown = await door.request("POST", `/people/${id}/password-reset`, { body: { delivery: "send" } });
  expect(shown).toMatchObject({ status: 409, body: { detail: expect.stringContaining("was changed") } });
  expect(await door.request("POST", `/people/${id}/password-reset`, { body: { delivery: "show" } })).toMatchObject({ status: 201 });
  door.clock.forward(25 * HOUR);
  expect(await forget("victim")).toBe(false);
  await door.work((work) => confirmOwnAddress(work, { personId: id }));
  expect(await forget("victim")).toBe(true);
});

test("G2: the old address says that it was not them: no link goes to the new one, however long, until it says otherwise", async () => {
  const id = await door.newPerson({ userName: "stolen", unitId: branch });
  await change(id, door.token, "stolen@old.example");
  await givePassword(id);
  await change(id, door.token, "stolen@new.example");
  await tell();
  const [notice] = await toldOf(id);
  const token = String(notice?.data["link"]).split("#")[1] ?? "";
  expect(String(notice?.data["link"])).toMatch(/^https:\/\/rollcall\.example\.com\/login\/address#[\w-]{43}$/);
  await expect(findTold(door.db.pool, { token: "x".repeat(43), now: door.clock.now() })).rejects.toMatchObject({ field: "link" });
  await expect(findTold(door.db.pool, { token: "", now: door.clock.now() })).rejects.toMatchObject({ field: "link" });
  await door.work((work) => answerByLink(work, { token, answer: "not_mine" }));
  door.clock.forward(100 * HOUR);
  expect(await waits(id)).toMatchObject({ until: null });
  expect(await forget("stolen")).toBe(false);
  await door.work((work) => answerByLink(work, { token, answer: "mine" }));
  expect(await waits(id)).toBeUndefined();
  const { rows } = await door.db.pool.query<{ data: unknown }>(
    "select data from audit_events where name = 'address.answered' and subject_id = $1 order by id",
    [id],
  );
  expect(rows.map(({ data }) => data)).toEqual([
    { answer: "not_mine", by: "old_address" },
    { answer: "mine", by: "old_address" },
  ]);
  door.clock.forward(8 * 24 * HOUR);
  await expect(answerByLinkLater(token)).rejects.toMatchObject({ field: "link" });
});
const answerByLinkLater = (token: string) => door.work((work) => answerByLink(work, { token, answer: "not_mine" }));

test("G7, G2: security notices go to the old address, too, until a week is over or the person has said that the change was theirs", async () => {
  const id = await door.newPerson({ userName: "moved", unitId: branch });
  await change(id, door.token, "moved@old.example");
  await givePassword(id);
  expect(await told(id)).toEqual(["moved@old.example"]);
  await change(id, door.token, "moved@new.example");
  await tell();
  const both = ["moved@new.example", "moved@old.example"];
  expect(await told(id)).toEqual(both);
  const [notice] = await toldOf(id);
  const token = String(notice?.data["link"]).split("#")[1] ?? "";
  await door.work((work) => confirmOwnAddress(work, { personId: id }));
  expect(await told(id)).toEqual(["moved@new.example"]);
  await door.work((work) => answerByLink(work, { token, answer: "not_mine" }));
  expect(await told(id)).toEqual(both);
  door.clock.forward(8 * 24 * HOUR);
  expect(await told(id)).toEqual(both);
  await change(id, door.token, "moved@third.example");
  await tell();
  expect(await told(id)).toEqual(["moved@new.example", "moved@old.example", "moved@third.example"]);
  await door.db.pool.query("update address_changes set answer = null, answered_at = null where person_id = $1", [id]);
  door.clock.forward(8 * 24 * HOUR);
  expect(await told(id)).toEqual(["moved@third.example"]);
});

test("a change that is taken back leaves the address as good as it was, and who has nothing here to get in with is told nothing", async () => {
  const id = await door.newPerson({ userName: "mistyped", unitId: branch });
  await change(id, door.token, "mistyped@old.example");
  await change(id, door.token, "before@old.example");
  expect(await tell()).toBe(0);
  await givePassword(id);
  await change(id, door.token, "typo@old.example");
  expect(await waits(id)).toBeDefined();
  await change(id, door.token, "BEFORE@old.example");
  expect(await waits(id)).toBeUndefined();
  await change(id, door.token, "Before@old.example");
  expect(await tell()).toBe(2);
});

test("a domain that gets another name is no news for everybody, unless the operator wants it; a single change beside it is told", async () => {
  const names = Array.from({ length: 4 }, () => `many-${randomUUID()}`);
  for (const name of names) world.set(name, `${name}@old.example`);
  await sync();
  for (const name of names) await givePassword(await idOf(name));
  const single = await door.newPerson({ userName: "single", unitId: branch });
  await change(single, door.token, "single@old.example");
  await givePassword(single);
  await tell();
  door.clock.forward(HOUR);
  for (const name of names) world.set(name, `${name}@new.example`);
  await sync();
  await change(single, door.token, "single@new.example");
  await door.db.pool.query("delete from graphile_worker._private_jobs");
  await door.work(wakeTelling);
  expect((await door.db.pool.query("select from graphile_worker._private_jobs")).rowCount).toBe(1);
  expect(await tell({ mostTold: 3 })).toBe(1);
  expect(await tell({ mostTold: 3 })).toBe(0);
  const { rows } = await door.db.pool.query<{ data: unknown; subject: string }>(
    "select data, subject_id as subject from audit_events where name = 'addresses.not_told'",
  );
  expect(rows).toEqual([{ data: { count: 4 }, subject: "corp" }]);
  for (const name of names) expect(await waits(await idOf(name))).toBeDefined();
  expect(await tell({ mostTold: 4 })).toBe(4);
  expect(await toldOf(await idOf(names[0] ?? ""))).toHaveLength(1);
});

test("a connection that is vouched for is believed at once, but not right after somebody told it what to say", async () => {
  const userName = `staff-${randomUUID()}`;
  const vouchedConnections = ["corp"];
  world.set(userName, `${userName}@old.example`);
  await sync();
  const id = await idOf(userName);
  await givePassword(id);
  world.set(userName, `${userName}@new.example`);
  await sync();
  expect(await waits(id)).toBeDefined();
  expect(await waits(id, { vouchedConnections })).toBeUndefined();
  await door.db.pool.query("update connections set updated_at = $1 where name = 'corp'", [door.clock.now()]);
  expect(await waits(id, { vouchedConnections })).toBeDefined();
});

test("what an address is waited for follows from its change alone", () => {
  const at = new Date("2027-01-10T00:00:00Z");
  const moments = fc.integer({ min: -200, max: 200 }).map((hours) => new Date(at.getTime() + hours * HOUR));
  const changes: fc.Arbitrary<AddressChange> = fc.record({
    id: fc.constant("1"),
    at: fc.constant(at),
    oldAddress: fc.constant("a@b.example"),
    newAddress: fc.constant("c@d.example"),
    answer: fc.constantFrom(null, "mine" as const, "not_mine" as const),
    connection: fc.constantFrom(null, "corp", "hr"),
    connectionEditedAt: fc.option(moments),
    isReturn: fc.boolean(),
    resetSince: fc.boolean(),
  });
  fc.assert(
    fc.property(changes, moments, fc.integer({ min: 0, max: 72 }), (made, now, waitHours) => {
      const waiting = unsettled(made, { now, settings: { waitHours, vouchedConnections: ["hr"], mostTold: 1 } });
      if (made.answer === "mine" || made.resetSince) expect(waiting).toBeUndefined();
      else if (made.answer === "not_mine") expect(waiting).toMatchObject({ until: null });
      const over = now.getTime() >= at.getTime() + waitHours * HOUR;
      if (made.answer === null && over) expect(waiting).toBeUndefined();
      const isBelieved = made.isReturn || made.resetSince || (made.connection === "hr" && made.connectionEditedAt !== null);
      if (made.answer === null && !over && !isBelieved) expect(waiting?.until?.getTime()).toBe(at.getTime() + waitHours * HOUR);
    }),
  );
});

test("of an address nothing is shown that could be followed or written to", () => {
  expect(shownAddress("ada@example.com")).toBe("a…@e….com");
  expect(shownAddress(null)).toBe("–");
  fc.assert(
    fc.property(fc.emailAddress(), (address) => {
      const shown = shownAddress(address);
      expect(shown.length).toBeLessThan(24);
      expect(shown).not.toMatch(/[\p{L}\p{N}]{2,}[@…]|:\/\//u);
    }),
  );
});
