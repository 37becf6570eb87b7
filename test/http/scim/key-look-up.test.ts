import { expect, test } from "@jest/globals";
import { TOKEN_STAMP } from "../../../src/auth/tokens.ts";
import type { Call } from "../../../src/http/scim/call.ts";
import { viewOf } from "../../../src/http/scim/call-view.ts";
import { schemasWith } from "../../../src/http/scim/custom-schema.ts";
import { keyLookUp } from "../../../src/http/scim/key-look-up.ts";
import { readListRequest } from "../../../src/http/scim/list-request.ts";
import { listStatement } from "../../../src/http/scim/list-statement.ts";
import { ROLES, UNITS } from "../../../src/http/scim/organisation-types.ts";
import { isLeftOutWhole } from "../../../src/http/scim/projection.ts";
import { writableType, type ResourceType } from "../../../src/http/scim/resource-type.ts";
import { parameters } from "../../../src/http/scim/view.ts";

const schemas = schemasWith([]);
const TYPES: readonly ResourceType[] = [writableType({ schemas }, "user"), writableType({ schemas }, "group"), UNITS, ROLES];
const READER = { personId: "5f9c2f6e-0f1e-4a55-8a86-3c4b5a5b7a10", hidden: "salary", own: "shoeSize" };
const PROOF = { hash: Buffer.from("of a token"), stamp: "1", until: new Date(0) };
const ID = "2819c223-7f76-453a-919d-413861904646";
const VALUES = ["ann", "", ID, `"%_\\' value`, "hash", "base", "own", "%", "Ä".repeat(300)];

const callOf = (options: Pick<Call, "visibility" | "reader">): Call =>
  ({
    connection: { id: 7, name: "idp", version: 1 },
    base: "https://host/scim/v2",
    schemas,
    personId: null,
    ...options,
  }) as unknown as Call;
const CALLS = (["directory", "own"] as const).flatMap((visibility) => [undefined, READER].map((reader) => callOf({ visibility, reader })));

const FILTERS: Readonly<Record<ResourceType["kind"], readonly string[]>> = {
  user: ["userName", "externalId", "id", "emails.value", "emails", "groups.value", "displayName", "active"],
  group: ["displayName", "externalId", "id", "members.value", "members"],
  unit: ["id", "name", "code"],
  role: ["id", "name", "key"],
};
const PROJECTIONS = [{}, { attributes: "userName,displayName" }, { excludedAttributes: "members" }, { excludedAttributes: "groups" }];

/** The statement as any list's is made. */
function made(
  call: Call,
  { type, request, proof }: Parameters<typeof keyLookUp>[1],
): { text: string; values: unknown[]; isFinal: boolean } {
  const given = parameters();
  const view = viewOf(call, { type, parameters: given });
  const stamp = proof && TOKEN_STAMP(`${given.add(proof.hash)}::bytea`);
  const text = listStatement({ view, parameters: given, request, stamp });
  return { text, values: given.values, isFinal: request.projection !== undefined && isLeftOutWhole(request.projection, view) };
}

test("a look-up by key is the statement that any list would be, whatever the value looks like", () => {
  const served = new Set<string>();
  for (const type of TYPES)
    for (const call of CALLS)
      for (const proof of [undefined, PROOF])
        for (const attribute of FILTERS[type.kind])
          for (const projection of PROJECTIONS)
            for (const value of VALUES)
              for (const paging of [{}, { startIndex: "3", count: "2" }]) {
                const filter = `${attribute} eq ${attribute === "active" ? "true" : JSON.stringify(value)}`;
                const options = { type, proof, request: readListRequest(type.schema, { filter, ...projection, ...paging }) };
                const found = keyLookUp(call, options);
                if (!found) continue;
                const { name, ...query } = found;
                expect(name.length).toBeLessThan(50);
                expect(query).toEqual(made(call, options));
                served.add(`${type.kind} ${attribute}`);
              }
  expect(served).toContain("user userName");
  expect(served).toContain("user externalId");
  expect(served).toContain("user emails.value");
  expect(served).toContain("group displayName");
  expect(served).toContain("group externalId");
  // What asks whether a value is an id has a statement for each answer.
  expect(served).not.toContain("user id");
  expect(served).not.toContain("user groups.value");
});

test("lists that are more than a look-up are none", () => {
  const [users] = TYPES;
  const [call] = CALLS;
  if (!users || !call) throw new Error("there is a type and a call");
  for (const source of [
    {},
    { filter: `userName sw "a"` },
    { filter: `userName eq "a" and active eq true` },
    { filter: `not (userName eq "a")` },
    { filter: `userName eq null` },
    { filter: `userName eq "a"`, sortBy: "userName" },
    { filter: `userName eq "a"`, cursor: "" },
    { filter: `userName eq "a"`, count: "0" },
  ])
    expect(keyLookUp(call, { type: users, request: readListRequest(users.schema, source) })).toBeUndefined();
});
