import { z } from "zod";
import { requireHoldsEverything } from "../../../access/taking-over.ts";
import { changeConnection } from "../../../connections/change-connection.ts";
import { listConnectionViews, readConnectionView } from "../../../connections/connection-view.ts";
import { findConnection } from "../../../connections/open.ts";
import { listQuirks, quirkSentence } from "../../../connections/quirks.ts";
import { signsPeopleIn } from "../../../connections/sign-in-connectors.ts";
import { resumeConnection } from "../../../connections/state.ts";
import { addConnection } from "../../../connections/store.ts";
import { letGoConnection } from "../../../sync/remove-connection.ts";
import { requireVersion } from "../entity-tag.ts";
import { changeBody, connectionSchema, definitionBody, quirkSchema, removalSchema } from "../machinery/connection-schemas.ts";
import { connectionName, nameParams } from "../machinery/fields.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { flag } from "../schemas.ts";

const tag = "Connections";
const view = { permission: "rollcall.connections.view", on: "organisation" } as const;
const edit = { permission: "rollcall.connections.edit", on: "organisation" } as const;
const run = { permission: "rollcall.connections.run", on: "organisation" } as const;

export const connectionRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/connections",
    summary: "Connections, by name",
    description: "With `state=quarantined` those that stopped themselves after failures in a row.",
    tag,
    access: view,
    query: z.strictObject({
      ...pageQuery,
      connector: z.string().max(100).optional(),
      state: z.enum(["ready", "flagged", "quarantined"]).optional(),
    }),
    answer: pageOf(connectionSchema),
    async handler(call, { query: { limit, cursor, connector, state } }) {
      const after = placeOf(cursor, z.tuple([z.string()]))?.[0];
      const rows = await listConnectionViews(call.sql, { after, limit: limit + 1, connector, state });
      return page(rows, { limit, place: ({ name }) => [name] });
    },
  }),
  route({
    method: "post",
    path: "/connections",
    sensitive: true,
    summary: "Add a connection",
    description:
      "Secrets are given themselves, sealed at once, and never come out again. Files of the server may be named only within the folders that its configuration allows (`connections.folders`). Every problem is named at once. One by which people sign in is made, changed and enabled only by who may make roles for the whole organisation.",
    tag,
    access: edit,
    body: definitionBody,
    example: {
      name: "hr",
      connector: "csv",
      settings: { file: "/srv/feeds/people.csv", idColumn: "number", trailer: "END" },
      schedule: "0 5 * * *",
    },
    status: 201,
    answer: connectionSchema,
    idempotent: true,
    async handler(call, { body }) {
      await requireMaySayWhoIsWhom(call, body.connector);
      const { keyRing, connectionFolders: folders } = call.options;
      const { name } = await addConnection(call, { definition: body, keyRing, folders });
      return readConnectionView(call.sql, name);
    },
  }),
  route({
    method: "get",
    path: "/connections/{name}",
    summary: "One connection",
    description:
      "Its definition as it was given, without secrets: of these only whether there is one is told. With it, whether it is flagged or in quarantine, and why.",
    tag,
    access: view,
    params: nameParams,
    answer: connectionSchema,
    versioned: true,
    handler: (call, { params }) => readConnectionView(call.sql, params.name),
  }),
  route({
    method: "patch",
    path: "/connections/{name}",
    sensitive: true,
    summary: "Change a connection",
    description:
      "Each part that is given replaces that part whole; null takes it away. Of `settings`, secrets that are left out stay as they are.",
    tag,
    access: edit,
    params: nameParams,
    body: changeBody,
    example: { schedule: "*/15 * * * *", enabled: true },
    answer: connectionSchema,
    versioned: true,
    async handler(call, { params, body }) {
      const row = await findConnection(call.sql, params.name);
      await requireMaySayWhoIsWhom(call, row.connector);
      requireVersion({ ifVersion: call.ifVersion, version: row.version, what: `The connection ${row.name}` });
      const { keyRing, connectionFolders: folders } = call.options;
      await changeConnection(call, { row, change: body, keyRing, folders });
      return readConnectionView(call.sql, row.name);
    },
  }),
  route({
    method: "delete",
    path: "/connections/{name}",
    sensitive: true,
    summary: "Remove a connection, or say what that would come to",
    description:
      "What it mastered goes over to the other origins of its people. With `dryRun=true` nothing is changed. Where more people would leave than its limits allow, `leaving` must name that number.",
    tag,
    access: edit,
    params: nameParams,
    query: z.strictObject({ dryRun: flag.optional(), leaving: z.coerce.number().int().min(0).optional() }),
    status: 200,
    answer: removalSchema,
    versioned: true,
    locks: "administrators",
    async handler(call, { params: { name }, query: { dryRun = false, leaving } }) {
      const { version } = await findConnection(call.sql, name);
      requireVersion({ ifVersion: call.ifVersion, version, what: `The connection ${name}` });
      const { keyRing } = call.options;
      const result = await letGoConnection(call, { keyRing, name, preview: dryRun, ...(leaving === undefined ? {} : { leaving }) });
      return { name, removed: !dryRun, ...result };
    },
  }),
  ...(["enable", "disable"] as const).map((action) =>
    route({
      method: "post",
      path: `/connections/{name}/${action}`,
      summary: action === "enable" ? "Let it run and receive again" : "Stop its runs and deliveries; what is there stays",
      description:
        action === "enable"
          ? "Its schedule goes on with the next time that is due, and what was decided for it meanwhile is delivered. One by which people sign in is enabled only by who may make roles for the whole organisation."
          : "Nobody leaves, and nothing is removed anywhere: people and accounts stay as they are. What is decided meanwhile waits. `enable` undoes it.",
      tag,
      access: edit,
      params: nameParams,
      answer: connectionSchema,
      async handler(call, { params }) {
        const row = await findConnection(call.sql, params.name);
        if (action === "enable") await requireMaySayWhoIsWhom(call, row.connector);
        const { keyRing, connectionFolders: folders } = call.options;
        await changeConnection(call, { row, change: { enabled: action === "enable" }, keyRing, folders });
        return readConnectionView(call.sql, row.name);
      },
    }),
  ),
  route({
    method: "post",
    path: "/connections/{name}/resume",
    summary: "Let a flagged or quarantined connection run again",
    description:
      "After a fault that trying again does not mend (`denied`, `misconfigured`), or too many failures, a connection stops and waits for somebody. This says that the cause is gone: the next run begins as scheduled, and deliveries go on. It is flagged again when it is not.",
    tag,
    access: run,
    params: nameParams,
    answer: connectionSchema,
    async handler(call, { params }) {
      await resumeConnection(call, { name: params.name });
      return readConnectionView(call.sql, params.name);
    },
  }),
  route({
    method: "get",
    path: "/connections/{name}/quirks",
    summary: "Where its SCIM client departs from the RFCs, and how often",
    description:
      "Seen in its requests, each kind once, with a sentence that says what the client does and what is made of it. Nothing has to be done about them.",
    tag,
    access: view,
    params: z.object({ name: connectionName }),
    answer: z.object({ items: z.array(quirkSchema) }),
    async handler(call, { params }) {
      const { id } = await findConnection(call.sql, params.name);
      const lines = await listQuirks(call.sql, { connectionId: id });
      return { items: lines.map((line) => ({ ...line, says: quirkSentence(line) })) };
    },
  }),
];

/** Who may say which identity provider is believed could sign in as anybody. Taking one out of use is no such thing. */
async function requireMaySayWhoIsWhom(call: ApiCall, connector: unknown): Promise<void> {
  if (typeof connector === "string" && signsPeopleIn(connector)) await requireHoldsEverything(call, { caller: call.caller });
}
