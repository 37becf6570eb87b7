import { z } from "zod";
import { connectorViews } from "../../../connections/connector-view.ts";
import { AppError } from "../../../errors.ts";
import { route, type Route } from "../route.ts";

const connectorSchema = z
  .object({
    name: z.string(),
    title: z.string(),
    reads: z.boolean().describe("People, groups or units are read from it."),
    receives: z.boolean().describe("It receives accounts."),
    writesBack: z.boolean(),
    notifies: z.boolean().describe("It tells of changes by calls."),
    secretFields: z.array(z.string()).describe("Dotted names of the settings that are secrets."),
    settings: z
      .record(z.string(), z.unknown())
      .describe("JSON Schema (2020-12) of its settings; secrets are `writeOnly`, every field has a title."),
  })
  .meta({ id: "Connector" });

const access = { permission: "rollcall.connections.view", on: "organisation" } as const;

export const connectorRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/connectors",
    summary: "The kinds of systems that can be connected, with their settings for a form",
    description:
      "`settings` of each is a JSON Schema, with titles and an order for a form; fields that are secret say so. `POST /connections` takes what such a form gives.",
    tag: "Connections",
    access,
    answer: z.object({ items: z.array(connectorSchema) }),
    handler: async () => ({ items: connectorViews() }),
  }),
  route({
    method: "get",
    path: "/connectors/{name}",
    summary: "One kind of system",
    description: "The same as in the list of all, for a form of one.",
    tag: "Connections",
    access,
    params: z.object({ name: z.string().max(100) }),
    answer: connectorSchema,
    async handler(_call, { params }) {
      const found = connectorViews().find(({ name }) => name === params.name);
      if (!found) throw new AppError("not_found", `There is no connector ${params.name}.`, { field: "connector" });
      return found;
    },
  }),
];
