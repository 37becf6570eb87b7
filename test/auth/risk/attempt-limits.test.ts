import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  createAttemptLimits,
  forgetLimits,
  sharesOf,
  type AttemptLimits,
  type LimitedAttempt,
} from "../../../src/auth/risk/attempt-limits.ts";
import { tellLocked } from "../../../src/auth/risk/tell-locked.ts";
import { typedNameHash } from "../../../src/auth/risk/typed-names.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sealingKey } from "../../../src/db/envelope.ts";
import { projectFolder } from "../../../src/db/folder.ts";
import { AppError } from "../../../src/errors.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";

const keyRing = { current: sealingKey(Buffer.alloc(32, 7)), older: [] };
const { limits: usual } = signInSettings.parse({});
let db: TestDatabase;
let ahead = 0;
const now = () => new Date(Date.now() + ahead);
const limitsOf = (settings: Partial<typeof usual> = {}): AttemptLimits =>
  createAttemptLimits({ db, keyRing, settings: { ...usual, ...settings }, now });

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const attempt = (more: Partial<LimitedAttempt> = {}): LimitedAttempt => ({
  kind: "password",
  address: "192.0.2.7",
  name: `name-${randomUUID()}`,
  personId: null,
  device: null,
  ...more,
});

async function refusal(limits: AttemptLimits, one: LimitedAttempt): Promise<AppError | undefined> {
  try {
    await limits.take(one);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

async function through(limits: AttemptLimits, attempts: readonly LimitedAttempt[]): Promise<number> {
  const refusals = await Promise.all(attempts.map((each) => refusal(limits, each)));
  return refusals.filter((each) => each === undefined).length;
}

test("W2: however many come at once, an account takes no more attempts than its budget, over all networks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 14 }), async (budget, beyond) => {
      const limits = limitsOf({ account: { attempts: budget, minutes: 15 } });
      const name = randomUUID();
      const attempts = Array.from({ length: budget + beyond }, (_, at) => attempt({ name, address: `198.51.${at}.1` }));
      expect(await through(limits, attempts)).toBe(budget);
    }),
    { numRuns: 15 },
  );
});

test("W2: two processes share one budget", async () => {
  const url = db.url;
  const script = path.join(projectFolder(), "test/auth/risk/take-in-process.mjs");
  const run = async () => Number((await promisify(execFile)(process.execPath, [script, url, "8"])).stdout);
  const [first, second] = await Promise.all([run(), run()]);
  expect(first + second).toBe(usual.account.attempts);
});

test("W2: an attack from elsewhere never locks the owner's own browser out, and the owner's budget is not the attack's", async () => {
  const limits = limitsOf();
  const personId = randomUUID();
  const name = `owner-${personId}`;
  const attack = Array.from({ length: 60 }, (_, at) => attempt({ name, personId, address: `203.0.${at % 7}.9` }));
  expect(await through(limits, attack)).toBe(usual.account.attempts);
  const owner = attempt({ name, personId, device: "a browser that they have used", address: "203.0.1.9" });
  expect(
    await through(
      limits,
      Array.from({ length: usual.device.attempts }, () => owner),
    ),
  ).toBe(usual.device.attempts);
  expect((await refusal(limits, owner))?.code).toBe("rate_limited");
  await limits.succeeded(owner);
  expect(await refusal(limits, owner)).toBeUndefined();
  // What the owner did gave the attack nothing back.
  expect((await refusal(limits, attempt({ name, personId })))?.code).toBe("rate_limited");
});

test("W2: names that nobody has are limited like those that somebody has, in the same words", async () => {
  const limits = limitsOf();
  const [known, unknown] = [attempt({ personId: randomUUID() }), attempt()];
  const counts = [];
  for (const one of [known, unknown])
    counts.push(
      await through(
        limits,
        Array.from({ length: 12 }, () => one),
      ),
    );
  expect(counts).toEqual([usual.account.attempts, usual.account.attempts]);
  const [first, second] = [await refusal(limits, known), await refusal(limits, unknown)];
  expect(first).toMatchObject({ code: "rate_limited", message: second?.message });
  expect(first?.retryAfter).toBeGreaterThan(0);
  expect(first?.retryAfter).toBeLessThanOrEqual(usual.account.minutes * 60);
});

test("W2: a network is refused after its budget, which costs the accounts it goes on to name nothing; its time over, it may come again", async () => {
  const limits = limitsOf({ network: { attempts: 5, minutes: 15 } });
  const victim = randomUUID();
  const sprayed = Array.from({ length: 9 }, () => attempt({ address: "2001:db8:77::5" }));
  expect(await through(limits, sprayed)).toBe(5);
  const late = Array.from({ length: 30 }, () => attempt({ address: "2001:db8:77:9::1", name: victim }));
  expect(await through(limits, late)).toBe(0);
  expect(await refusal(limits, attempt({ name: victim, address: "192.0.77.1" }))).toBeUndefined();
  ahead += 16 * 60_000;
  expect(await refusal(limits, attempt({ address: "2001:db8:77::5" }))).toBeUndefined();
});

test("successes are given back, and counters whose time is over are forgotten", async () => {
  const limits = limitsOf({ account: { attempts: 2, minutes: 5 } });
  const one = attempt();
  for (let turn = 0; turn < 6; turn++) {
    await limits.take(one);
    await limits.succeeded(one);
  }
  expect(await through(limits, [one, one, one])).toBe(2);
  ahead += 60 * 60_000;
  expect(await forgetLimits({ sql: db.pool, now: now() })).toBeGreaterThan(0);
  expect((await db.pool.query("select from attempt_limits")).rowCount).toBe(0);
});

test("W2: attempts that are taken and given back at once, of the same accounts from the same networks, don't wait for each other for ever, and leave nothing taken", async () => {
  const limits = limitsOf({ account: { ...usual.account, attempts: 100 } });
  const name = `busy-${randomUUID()}`;
  const attempts = Array.from({ length: 40 }, (_, at) =>
    attempt({ name: at % 2 === 0 ? name : `${name}-other`, address: `100.64.${at % 3}.1` }),
  );
  await Promise.all(
    attempts.map(async (each) => {
      await limits.take(each);
      await limits.succeeded(each);
    }),
  );
  const { rows } = await db.pool.query(
    "select key from attempt_limits where points <> 0 and (key like 'network:100.64.%' or key = any($1))",
    [[name, `${name}-other`].map((each) => `account:password:name:${typedNameHash(keyRing, each)}`)],
  );
  expect(rows).toEqual([]);
  expect((await db.pool.query("select from attempt_limits where key like 'network:100.64.%'")).rowCount).toBe(3);
});

test("what can't be counted is refused as unavailable, never as too many attempts", async () => {
  const broken = createAttemptLimits({
    db: { requestPool: { query: () => Promise.reject(new Error("the server is gone")) } as unknown as TestDatabase["requestPool"] },
    keyRing,
    settings: usual,
    now,
  });
  expect(await refusal(broken, attempt())).toMatchObject({ code: "unavailable", retryAfter: 10 });
});

test("spellings of one login share a budget; the name can't be read from what is kept", () => {
  const hash = (name: string) => typedNameHash(keyRing, name);
  for (const spelling of ["ADA@Example.COM", " ada@example.com ", "ada​@example.com", "ａda@example.com", "ADÀ@example.com"])
    expect(hash(spelling)).toBe(hash("ada@example.com"));
  expect(hash("İda")).toBe(hash("ida"));
  expect(hash("bob@example.com")).not.toBe(hash("ada@example.com"));
  expect(typedNameHash({ current: sealingKey(Buffer.alloc(32, 8)), older: [] }, "ada@example.com")).not.toBe(hash("ada@example.com"));
});

test("W2: a known device, or a browser that was sent away and comes back, takes from its own budget alone; who names nobody shares none with all others", () => {
  const budgets = (device: string | null, subject: string | null) =>
    sharesOf({ kind: "password", subject, network: "192.0.2.0/24", device }).map(({ budget }) => budget);
  expect(budgets("d", "person:1")).toEqual(["device"]);
  expect(budgets(null, "person:1")).toEqual(["network", "account", "overall"]);
  expect(budgets("d", null)).toEqual(["device"]);
  expect(budgets(null, null)).toEqual(["network"]);
});

test("G7, W2: a lock is told to its owner, once; the same is done for names of nobody, and the name stands nowhere", async () => {
  const personId = randomUUID();
  const userName = `ada-${personId}`;
  await db.pool.query(
    "insert into people (id, user_name, email, attributes, created_at, modified_at) values ($1, $2, 'ada@example.com', '{}', $3, $3)",
    [personId, userName, now()],
  );
  const jobs = async () => {
    const { rows } = await db.pool.query<{ payload: Parameters<typeof tellLocked>[1] }>(
      "select payload from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'tell_locked' order by j.id",
    );
    await db.pool.query("delete from graphile_worker._private_jobs");
    return rows.map(({ payload }) => payload);
  };
  const work = <T>(act: Parameters<typeof inTransaction<T>>[2]) => inTransaction(db, testContext({ now }), act);
  const limits = limitsOf({ account: { attempts: 2, minutes: 15 } });
  const fail = async (more: Partial<LimitedAttempt>) => {
    for (let each = 0; each < 6; each += 1) await refusal(limits, attempt(more));
    return jobs();
  };
  const told = async () =>
    (await db.pool.query("select from notices where person_id = $1 and notice = 'account.locked'", [personId])).rowCount;
  const tell = async (payloads: Awaited<ReturnType<typeof jobs>>) => {
    for (const payload of payloads) await work((each) => tellLocked(each, { ...payload, keyRing }));
  };

  await jobs();
  const [known, nobody] = [await fail({ name: userName, personId }), await fail({ name: `nobody-${personId}` })];
  expect([known.length, nobody.length]).toEqual([1, 1]);
  expect([known, nobody].map((payloads) => payloads.map((each) => Object.keys(each).sort()))).toEqual([
    [["name", "until"]],
    [["name", "until"]],
  ]);
  expect(JSON.stringify([known, nobody])).not.toContain(personId);
  await tell(nobody);
  expect(await told()).toBe(0);
  await tell(known);
  await tell(known);
  expect(await told()).toBe(1);
  ahead += 20 * 60_000;
  await tell(await fail({ name: userName, personId }));
  expect(await told()).toBe(1);
  ahead += 12 * 3_600_000;
  await tell(await fail({ kind: "second_factor", name: null, personId }));
  expect(await told()).toBe(2);
  await db.pool.query("update people set active = false, state = 'suspended' where id = $1", [personId]);
  ahead += 13 * 3_600_000;
  await tell(await fail({ name: userName, personId }));
  expect(await told()).toBe(2);
});
