import { z } from "zod";
import { problemSchema } from "./problem.ts";
import type { Route } from "./route.ts";
import { TAGS } from "./tags.ts";

/** An OpenAPI 3.1 document, as far as we write one. */
export interface OpenApiDocument {
  openapi: "3.1.0";
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, unknown> };
}

export interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: JsonSchema; example?: unknown }> };
  responses: Record<string, { description: string; headers?: Record<string, unknown>; content?: Record<string, { schema: JsonSchema }> }>;
}

interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

export type JsonSchema = Record<string, unknown>;

/** The document of all routes, made of the schemas that the frame itself parses with. */
export function openApiOf(routes: readonly Route[], { version }: { version: string }): OpenApiDocument {
  const schemas: Record<string, JsonSchema> = {};
  const schemaOf = (schema: z.ZodType, io: "input" | "output") => hoisted(schema, { io, schemas });
  const paths: OpenApiDocument["paths"] = {};
  schemaOf(problemSchema, "output");
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operationOf(route, schemaOf);
  return {
    openapi: "3.1.0",
    info: {
      title: "Rollcall administration API",
      version,
      description: [
        "People, units, roles, grants, connections and the audit trail.",
        "Lists come in pages: `next` of an answer is the `cursor` of the next request, null on the last page. A change of what has a `version` needs `If-Match` with the ETag that was read, or `*`. Creates take an `Idempotency-Key`: sent again, they create nothing twice.",
        "Errors are problem details (RFC 9457): `code` is for programs, `detail` says what to do, `errors` names each field. What the caller may not see is answered like what is not there (404).",
      ].join("\n\n"),
    },
    servers: [{ url: "/api/v1" }],
    tags: TAGS.filter(({ name }) => routes.some(({ tag }) => tag === name)).map((tag) => ({ ...tag })),
    paths,
    components: { schemas, securitySchemes: { token: { type: "http", scheme: "bearer", description: "A token of scope `api`." } } },
  };
}

/** What comes in the form that `Accept` names, and under a tag of its own. */
const PHOTO = "image/*";

type SchemaOf = (schema: z.ZodType, io: "input" | "output") => JsonSchema;

function operationOf(route: Route, schemaOf: SchemaOf): Operation {
  const changes = route.method !== "get";
  const success = String(route.status ?? (route.answer || route.sends ? 200 : 204));
  const content = route.sends
    ? { content: { [route.sends]: { schema: {} } } }
    : route.answer
      ? { content: { "application/json": { schema: schemaOf(route.answer, "output") } } }
      : {};
  const problem = { content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } };
  return {
    operationId: operationId(route),
    summary: route.summary,
    description: [route.description, accessSentence(route)].filter(Boolean).join("\n\n"),
    tags: [route.tag],
    security: route.access === "public" ? [] : [{ token: [] }],
    parameters: [
      ...parametersOf(route.params, { place: "path", schemaOf }),
      ...parametersOf(route.query, { place: "query", schemaOf }),
      ...(changes && route.versioned
        ? [header("If-Match", { required: route.versioned === true, description: "The ETag of what was read, or `*`." })]
        : []),
      ...(route.idempotent
        ? [header("Idempotency-Key", { required: false, description: "Sent again with the same key, it creates nothing twice." })]
        : []),
    ],
    ...requestBody(route, schemaOf),
    responses: {
      [success]: { description: "As asked.", ...content },
      ...(!changes && (route.versioned || route.sends === PHOTO)
        ? { 304: { description: "What is shown is what `If-None-Match` names." } }
        : {}),
      ...Object.fromEntries(refusals(route).map(([status, description]) => [status, { description, ...problem }])),
      default: { description: "Any other problem.", ...problem },
    },
  };
}

function requestBody(route: Route, schemaOf: SchemaOf): Pick<Operation, "requestBody"> {
  if (route.upload) {
    const content = Object.fromEntries(
      route.upload.types.map((type) => [type, { schema: { type: "string", format: "binary" } as JsonSchema }]),
    );
    return { requestBody: { required: true, content } };
  }
  if (!route.body) return {};
  const example = route.example === undefined ? {} : { example: route.example };
  const required = !route.body.safeParse(undefined).success;
  return { requestBody: { required, content: { "application/json": { schema: schemaOf(route.body, "input"), ...example } } } };
}

function refusals(route: Route): [string, string][] {
  const takesBody = route.body !== undefined || route.upload !== undefined;
  const all: [boolean, string, string][] = [
    [route.access !== "public", "401", "No valid credential."],
    [
      route.access !== "public",
      "403",
      `The permission is missing here, or the token opens another door.${route.sensitive ? " Somebody who is signed in must have proven lately that it is them (`field` is `step_up`)." : ""}`,
    ],
    [
      route.path.includes("{") || route.body !== undefined || route.query !== undefined,
      "404",
      "There is no such thing, or it is out of the caller's reach.",
    ],
    [route.method !== "get", "409", "It does not fit what is there; `detail` says what stands in the way."],
    [
      route.method !== "get",
      "412",
      route.versioned === undefined
        ? "What was looked at is another by now; or `If-Match` names a version, and none is compared here."
        : `It was changed in the meantime${route.versioned === true ? ", or If-Match is missing" : ""}.`,
    ],
    [takesBody, "413", `The body is too large${route.upload ? `: at most ${route.upload.mostBytes / 1_048_576} MB` : ""}.`],
    [takesBody, "415", `The body is of another type than ${route.upload?.types.join(", ") ?? "application/json"}.`],
    [route.sends === PHOTO, "406", "`Accept` names no type that it comes in."],
    [true, "422", "Something in the request is not valid; `errors` names the fields."],
    [
      true,
      "503",
      "Others hold what it needs, it takes too long, or the database is away; `detail` says what to do, `Retry-After` when to ask again. Nothing was changed.",
    ],
  ];
  return all.flatMap(([applies, status, description]) => (applies ? [[status, description] as [string, string]] : []));
}

function accessSentence({ access }: Route): string {
  if (access === "public") return "Open to everybody.";
  if (access === "signed-in") return "For everybody with a valid credential, about themselves.";
  const where =
    typeof access.on === "object"
      ? "unit" in access.on
        ? "on the unit"
        : "on a unit of the person"
      : {
          organisation: "on the organisation",
          anywhere: "on any unit; the answer is narrowed to these",
          handler: "on what the request names",
        }[access.on];
  return `Needs \`${access.permission}\` ${where}.`;
}

function header(name: string, { required, description }: { required: boolean; description: string }): Parameter {
  return { name, in: "header", required, description, schema: { type: "string" } };
}

function parametersOf(schema: z.ZodType | undefined, { place, schemaOf }: { place: "path" | "query"; schemaOf: SchemaOf }): Parameter[] {
  if (!schema) return [];
  const { properties, required } = schemaOf(schema, "input") as { properties?: Record<string, JsonSchema>; required?: string[] };
  return Object.entries(properties ?? {}).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || (required ?? []).includes(name),
    ...(typeof description === "string" ? { description } : {}),
    schema: rest,
  }));
}

/** `GET /people/{id}` as `getPeopleById`. */
function operationId({ method, path }: Route): string {
  const words = path
    .split("/")
    .filter(Boolean)
    .map((part) => (part.startsWith("{") ? `By-${part.slice(1, -1)}` : part));
  return (
    method +
    words
      .flatMap((word) => word.split(/[^A-Za-z0-9]+/))
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join("")
  );
}

/** JSON Schema 2020-12 of a zod schema; those with an id of their own stand once among the components. */
function hoisted(schema: z.ZodType, { io, schemas }: { io: "input" | "output"; schemas: Record<string, JsonSchema> }): JsonSchema {
  const made = z.toJSONSchema(schema, { target: "draft-2020-12", io, unrepresentable: "any", cycles: "ref" }) as JsonSchema;
  const { $defs, $schema: _, ...root } = made;
  for (const [name, definition] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>))
    schemas[name] = rewritten(definition) as JsonSchema;
  const shown = rewritten(root) as JsonSchema;
  if (typeof shown["$ref"] === "string") return shown;
  const { id } = z.globalRegistry.get(schema) ?? {};
  if (id === undefined) return shown;
  schemas[id] = shown;
  return { $ref: `#/components/schemas/${id}` };
}

function rewritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewritten);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, each]) => !(key === "id" && typeof each === "string" && "type" in value))
      .map(([key, each]) => [
        key,
        key === "$ref" && typeof each === "string" ? each.replace("#/$defs/", "#/components/schemas/") : rewritten(each),
      ]),
  );
}
