import { ENTERPRISE, PATCH_OP, userAt } from "../directory.ts";
import { expectEqual, record, somebody, type Operation, type Target } from "../operation.ts";

const BOTH = [1, 16];
/** So many people are made inactive before the first of them becomes active again: two writers never meet. */
const ROUND = 512;

const post: Operation = {
  key: "post",
  title: "POST a person",
  turns: ["POST a person"],
  concurrency: BOTH,
  request({ directory }, number) {
    const tag = `${process.pid}.${number}`;
    const user = userAt(directory.company, somebodyNew(directory.people, number));
    const emails = [{ value: `new.${tag}@nordhaven.example`, type: "work", primary: true }];
    return { method: "POST", path: "/Users", body: { ...user, userName: `new.${tag}`, externalId: `new-${tag}`, emails } };
  },
  check(_target, _number, { status, body }) {
    expectEqual("status", status, 201);
    const user = record(body);
    expectEqual("userName", String(user["userName"]).startsWith("new."), true);
    expectEqual("id", typeof user["id"], "string");
    expectEqual("department", typeof record(user[ENTERPRISE])["department"], "string");
  },
  async verify(target, asked) {
    const tag = `${process.pid}.${asked - 1}`;
    const list = record(await target.ask({ method: "GET", path: `/Users?filter=${encodeURIComponent(`userName eq "new.${tag}"`)}` }));
    expectEqual(`people called new.${tag}`, list["totalResults"], 1);
  },
};

/** Somebody of whom everything but the names is taken. */
function somebodyNew(people: number, number: number): number {
  return (number * 7919) % people;
}

/** Who it is about, and what active becomes: each request changes something. */
function switched(target: Target, number: number): { index: number; active: boolean } {
  const round = Math.min(ROUND, target.directory.people - target.directory.batch);
  const block = Math.floor(number / (2 * round));
  return { index: somebody(target, block * round + (number % round)), active: Math.floor(number / round) % 2 === 1 };
}

const patchActive: Operation = {
  key: "patch-active",
  title: "PATCH active",
  turns: ["PATCH active"],
  concurrency: BOTH,
  request(target, number) {
    const { index, active } = switched(target, number);
    return patch(target, index, [{ op: "replace", path: "active", value: active }]);
  },
  check(target, number, { body }) {
    if (body !== undefined) expectEqual("active", record(body)["active"], switched(target, number).active);
  },
  async verify(target, asked) {
    const { index, active } = switched(target, asked - 1);
    expectEqual("active, read back", (await read(target, index))["active"], active);
  },
};

const patchThree: Operation = {
  key: "patch-three",
  title: "PATCH three replaces",
  turns: ["PATCH three replaces"],
  concurrency: BOTH,
  request(target, number) {
    return patch(target, somebody(target, number), [
      { op: "replace", path: "title", value: `Title ${number} of ${process.pid}` },
      { op: "replace", path: "nickName", value: `Nick ${number}` },
      { op: "replace", path: `${ENTERPRISE}:department`, value: `Department ${number}` },
    ]);
  },
  check(target, number, { body }) {
    if (body !== undefined) expectThree(record(body), number);
    void target;
  },
  async verify(target, asked) {
    expectThree(await read(target, somebody(target, asked - 1)), asked - 1);
  },
};

function expectThree(user: Readonly<Record<string, unknown>>, number: number): void {
  expectEqual("title", user["title"], `Title ${number} of ${process.pid}`);
  expectEqual("nickName", user["nickName"], `Nick ${number}`);
  expectEqual("department", record(user[ENTERPRISE])["department"], `Department ${number}`);
}

function patch(target: Target, index: number, operations: readonly object[]) {
  return { method: "PATCH" as const, path: `/Users/${target.users[index]}`, body: { schemas: [PATCH_OP], Operations: operations } };
}

async function read(target: Target, index: number): Promise<Readonly<Record<string, unknown>>> {
  return record(await target.ask({ method: "GET", path: `/Users/${target.users[index]}` }));
}

/** Changes people by PATCH so that their lastModified is later than everybody else's. */
export async function touch(target: Pick<Target, "ask" | "users">, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const body = { schemas: [PATCH_OP], Operations: [{ op: "replace", path: "nickName", value: "Touched" }] };
    await target.ask({ method: "PATCH", path: `/Users/${target.users[index]}`, body });
  }
}

/** In this order: posting makes the directory bigger. */
export const WRITES: readonly Operation[] = [patchActive, patchThree, post];
