import { z } from "zod";
import { requireHoldsAll } from "../../../access/taking-over.ts";
import { findConnection } from "../../../connections/open.ts";
import { signsPeopleIn } from "../../../connections/sign-in-connectors.ts";
import { listAccountViews, readAccount, SITUATIONS } from "../../../sync/account-list.ts";
import { linkAccount } from "../../../sync/accounts.ts";
import { connectionName, idPlace, kind, rowIdParams } from "../machinery/fields.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { instant, uuid } from "../schemas.ts";

const tag = "Accounts";
const view = { permission: "rollcall.connections.view", on: "organisation" } as const;

const accountSchema = z
  .object({
    id: z.int(),
    connection: z.string(),
    kind,
    nativeId: z.string(),
    reference: z.string().nullable().describe("How other records of that system name it."),
    situation: z.enum(SITUATIONS),
    personId: z.string().nullable(),
    person: z.string().nullable(),
    linkedBy: z.string().nullable().describe("match, create, or human: who tied it to the person."),
    linkedAt: instant.nullable(),
    candidates: z.array(z.object({ id: z.string(), userName: z.string() })).describe("Between whom a human has to choose."),
    firstSeenAt: instant,
    changedAt: instant,
    goneAt: instant.nullable(),
  })
  .meta({ id: "Account" });

export const accountRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/accounts",
    summary: "What the systems hold, and what matching made of it",
    description: "With `situation=disputed` what waits for a human.",
    tag,
    access: view,
    query: z.strictObject({
      ...pageQuery,
      connection: connectionName.optional(),
      situation: z.enum(SITUATIONS).optional(),
      kind: kind.optional(),
      person: uuid.optional(),
    }),
    answer: pageOf(accountSchema),
    async handler(call, { query: { limit, cursor, person, ...only } }) {
      const after = placeOf(cursor, idPlace)?.[0];
      const rows = await listAccountViews(call.sql, { ...only, personId: person, after, limit: limit + 1 });
      return page(rows, { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/accounts/{id}",
    summary: "One account",
    description:
      "What the system holds about somebody, as last seen, and whom it is linked to. `situation` says what matching found; a disputed one is settled with `POST /accounts/{id}/link`.",
    tag,
    access: view,
    params: rowIdParams,
    answer: accountSchema,
    handler: (call, { params }) => readAccount(call.sql, params.id),
  }),
  route({
    method: "post",
    path: "/accounts/{id}/link",
    sensitive: true,
    summary: "Settle whose account this is",
    description:
      "The choice survives later runs. `create` makes a person of the account. An account by which somebody signs in is tied to a person only by who holds all that this person holds.",
    tag,
    access: { permission: "rollcall.connections.run", on: "organisation" },
    params: rowIdParams,
    body: z.union([z.strictObject({ personId: uuid }), z.strictObject({ create: z.literal(true) })]),
    example: { personId: "8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33" },
    status: 200,
    answer: accountSchema,
    locks: "administrators",
    async handler(call, { params, body }) {
      const person = "personId" in body ? body.personId : "new";
      if (person !== "new") {
        const { connection } = await readAccount(call.sql, params.id);
        const { connector } = await findConnection(call.sql, connection);
        if (signsPeopleIn(connector)) await requireHoldsAll(call, { caller: call.caller, personId: person });
      }
      await linkAccount(call, { keyRing: call.options.keyRing, accountId: params.id, person });
      return readAccount(call.sql, params.id);
    },
  }),
];
