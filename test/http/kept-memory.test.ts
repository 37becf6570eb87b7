import { expect, test } from "@jest/globals";
import { createContext, type Context } from "../../src/context.ts";
import { perform } from "../../src/http/api/perform.ts";
import { route, type ApiCall, type ApiOptions } from "../../src/http/api/route.ts";
import { createBending } from "../../src/http/scim/dialects/bending.ts";
import { PROFILES } from "../../src/http/scim/dialects/profiles/index.ts";
import { createLog } from "../../src/log.ts";

/** Names of accessors that one of them has to itself. */
const ownAccessors = (first: object, second: object): string[] =>
  Object.entries(Object.getOwnPropertyDescriptors(first)).flatMap(([name, { get }]) =>
    get === Object.getOwnPropertyDescriptor(second, name)?.get ? [] : [name],
  );

const log = createLog({ level: "silent" });
const contextOf = (options: object = {}): Context => createContext({ actor: "system", log, ...options });

// V8 puts the pair of an accessor's functions among the old objects: what they close over stays until a full collection.
test("nothing that is made for each request has accessors of its own", async () => {
  expect(ownAccessors(contextOf(), contextOf({ correlationId: "another" }))).toEqual([]);
  expect(ownAccessors(createBending(PROFILES.generic), createBending(PROFILES.generic))).toEqual([]);
  const calls: ApiCall[] = [];
  const asked = route({
    method: "get",
    path: "/asked",
    summary: "Asked",
    tag: "People",
    access: "signed-in",
    handler(call) {
      calls.push(call);
      return Promise.resolve(undefined);
    },
  });
  const caller = { actor: "system", credential: "token:1", personId: null, permissions: null, unitIds: null } as const;
  const request = { base: "", path: "/asked", params: {}, query: {}, body: undefined };
  const sql = { query: () => Promise.reject(new Error("nothing is asked of the database")) };
  for (const each of [caller, { ...caller, credential: "token:2" }])
    await perform(asked, { ctx: contextOf(), caller: each, options: { db: {} } as ApiOptions, sql, request });
  const [first, second] = calls;
  if (!first || !second) throw new Error("the handler was not called");
  expect(ownAccessors(first, second)).toEqual([]);
  const open = { ...asked, access: "public" } as const;
  await perform(open, { ctx: contextOf(), caller: null, options: { db: {} } as ApiOptions, sql, request });
  expect(() => calls[2]?.caller.personId).toThrow("no caller");
});

test("a context that is spread has what its accessors give", () => {
  const ctx = contextOf({ correlationId: "c" });
  const closing = new AbortController();
  expect({ ...ctx, signal: closing.signal }.signal).toBe(closing.signal);
  expect({ ...ctx }.log).toBe(ctx.log);
  expect({ ...ctx }.signal).toBe(ctx.signal);
  expect(ctx.log.bindings()).toMatchObject({ correlationId: "c" });
  expect(contextOf({ signal: closing.signal }).signal).toBe(closing.signal);
});
