import { expect, test } from "@jest/globals";
import type { Caller, Reach } from "../../../src/access/policy.ts";
import type { Sql } from "../../../src/db/database.ts";
import { createSharedAnswers } from "../../../src/db/shared-answers.ts";
import { sharedReach } from "../../../src/http/api/shared-reach.ts";

const caller: Caller = { actor: "person:p", credential: "token:t", personId: "p", permissions: null, unitIds: null };

test("A6: who asks at the same moment shares one question; nobody is told what held before he came, or what another may", async () => {
  let paths = ["u1"];
  const asked: unknown[] = [];
  const sql = {
    async query({ values }: { values: unknown[] }) {
      asked.push(values[0]);
      const rows = paths.map((path) => ({ permission: "rollcall.people.view", path, top: false }));
      await new Promise(setImmediate);
      return { rows };
    },
  } as unknown as Sql;
  const reaches = createSharedAnswers<Reach>();
  const pathsOf = async (by: Partial<Caller> = {}) =>
    (await sharedReach(sql, { reaches, caller: { ...caller, ...by }, permission: "rollcall.people.view", now: () => new Date() })).paths;
  const before = pathsOf();
  // The grant ends while that question is on its way.
  paths = [];
  const after = [pathsOf(), pathsOf({ credential: "token:other", actor: "system" }), pathsOf()];
  expect(await before).toEqual(["u1"]);
  expect(await Promise.all(after)).toEqual([[], [], []]);
  expect(asked).toEqual(["p", "p"]);
  paths = ["u2"];
  const others = [pathsOf(), pathsOf({ personId: "q" }), pathsOf({ permissions: [] }), pathsOf({ permissions: ["rollcall.units.view"] })];
  expect(await Promise.all(others)).toEqual([["u2"], ["u2"], [], []]);
  expect(asked).toEqual(["p", "p", "p", "q", "p", "p"]);
});
