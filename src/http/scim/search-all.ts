import type { Request, RequestHandler, Router } from "express";
import { AppError } from "../../errors.ts";
import { callOf, type Call } from "./call.ts";
import { checkedBody } from "./json.ts";
import { readListRequest, refuseOtherMessages, type ListRequest } from "./list-request.ts";
import { listParts, readPage, type ListDoor, type Page } from "./list.ts";
import { ROLES, UNITS } from "./organisation-types.ts";
import { writableType, type ResourceType } from "./resource-type.ts";
import { methodsOf, sendParts } from "./respond.ts";

/** Lists over all resource types at the door's root (RFC 7644 sections 3.4.2.1 and 3.4.3). */
export function searchAllRoutes(router: Router, { door }: { door: ListDoor }): void {
  methodsOf(router, "/", { get: searchAll(door, ({ query }) => query) });
  methodsOf(router, "/.search", {
    post: searchAll(door, ({ body: given }) => {
      const body = checkedBody(given);
      refuseOtherMessages(body);
      return body;
    }),
  });
}

type Source = Readonly<Record<string, unknown>>;

function searchAll(door: ListDoor, sourceOf: (request: Request) => Source): RequestHandler {
  return async (request, response) => {
    const call = callOf(response);
    const source = sourceOf(request);
    const { cursor, kind } = placeOf(source);
    const { lists, request: asked } = listsFor(call, cursor === undefined ? source : { ...source, cursor });
    const page = cursor === undefined ? await byIndex(door, { call, lists }) : await byCursor(door, { call, lists, kind });
    sendParts(response, listParts(page, asked));
  };
}

interface TypedList {
  type: ResourceType;
  request: ListRequest;
}

/**
 * The request as each type reads it, for the types of which something may match. What no type understands is refused as the
 * first one refuses it.
 */
function listsFor(call: Call, source: Source): { lists: TypedList[]; request: ListRequest } {
  const lists: TypedList[] = [];
  const refusals: AppError[] = [];
  const types = [writableType(call, "user"), writableType(call, "group"), UNITS, ROLES];
  for (const type of types) {
    const others = types.flatMap(({ schema }) => (schema === type.schema ? [] : [schema]));
    try {
      lists.push({ type, request: readListRequest(type.schema, source, { others }) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      refusals.push(error);
    }
  }
  const [first] = lists;
  if (!first) throw refusals[0] ?? new AppError("internal", "There are no resource types to search.");
  return { lists: lists.filter(({ request }) => !request.isEmpty), request: first.request };
}

/** One type after the other; only the order within a type is the one that was asked for. */
async function byIndex(door: ListDoor, { call, lists }: { call: Call; lists: readonly TypedList[] }): Promise<Page> {
  const whole: Page = { total: 0, stamp: null, resources: [] };
  for (const { type, request } of lists) {
    const startIndex = Math.max(1, request.startIndex - whole.total);
    const count = request.count - whole.resources.length;
    const { total, resources } = await readPage(door, { type, call, request: { ...request, startIndex, count } });
    whole.total += total;
    whole.resources.push(...resources);
  }
  return whole;
}

/** A cursor names the type that it is a place in; after the last of a type comes the first of the next. */
async function byCursor(
  door: ListDoor,
  { call, lists, kind }: { call: Call; lists: readonly TypedList[]; kind: string | undefined },
): Promise<Page> {
  const begin = kind === undefined ? 0 : lists.findIndex(({ type }) => type.kind === kind);
  if (begin < 0) throw refusedCursor();
  const whole: Page = { total: 0, stamp: null, resources: [] };
  for (const [at, { type, request }] of lists.entries()) {
    const isWanted = at >= begin && whole.next === undefined;
    const count = isWanted ? request.count - whole.resources.length : 0;
    const cursor = at === begin ? (request.cursor ?? "") : "";
    const { total, resources, next } = await readPage(door, { type, call, request: { ...request, count, cursor } });
    whole.total += total;
    whole.resources.push(...resources);
    if (!isWanted) continue;
    if (next !== undefined) whole.next = `${type.kind}${SEPARATOR}${next}`;
    else if (count === 0 && request.count > 0 && total > 0 && at > begin) whole.next = `${type.kind}${SEPARATOR}`;
  }
  return whole;
}

const SEPARATOR = "~";

/** The cursor of the type's own list, and the type. */
function placeOf(source: Source): { cursor: string | undefined; kind: string | undefined } {
  const [, given] = Object.entries(source).find(([name]) => name.toLowerCase() === "cursor") ?? [];
  if (given === undefined || given === null) return { cursor: undefined, kind: undefined };
  if (typeof given !== "string") throw refusedCursor();
  if (given === "") return { cursor: "", kind: undefined };
  const at = given.indexOf(SEPARATOR);
  if (at < 0) throw refusedCursor();
  return { kind: given.slice(0, at), cursor: given.slice(at + 1) };
}

function refusedCursor(): AppError {
  return new AppError("invalid", "cursor: can't be used, it is none of a search over all types. Begin the list anew.", {
    field: "cursor",
    scimType: "invalidCursor",
  });
}
