import { AppError } from "../../../errors.ts";
import type { Call, ScimDoorOptions } from "../call.ts";
import { errorAnswer, type ScimError } from "../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { PATCH_OP } from "../patch/operations.ts";
import { locationAt, perform, type Performed } from "./perform.ts";
import { referencesIn, withIds } from "./references.ts";
import type { BulkOperation, BulkRequest } from "./request.ts";

/** One operation's outcome (RFC 7644 section 3.7.3). */
export interface OperationResult {
  method: string;
  bulkId?: string;
  location?: string;
  version?: string;
  /** The HTTP status, as a text. */
  status: string;
  response?: ScimError;
}

/** Part of a resource that waits for others of the request to have ids. */
interface Waiting {
  at: number;
  made: Performed;
  later: JsonValue;
  /** What it refers to. Gathered once: it may be tens of thousands of references, and is asked for after each operation. */
  bulkIds: ReadonlySet<string>;
}

/**
 * Carries out a bulk request: each operation in a transaction of its own, in the request's order except that what is
 * referred to is made first. Of resources that refer to each other in a circle, one is made without the reference and
 * completed as soon as the other has an id. Operations that `failOnErrors` left undone have no result; those for which the client no
 * longer stands are refused one by one, so that it knows of the others.
 */
export async function runBulk(
  door: ScimDoorOptions,
  { call, standing, request: { operations, failOnErrors } }: { call: Call; standing: () => Promise<Call>; request: BulkRequest },
): Promise<OperationResult[]> {
  const makers = new Map(operations.flatMap(({ method, bulkId }, at) => (method === "POST" && bulkId !== undefined ? [[bulkId, at]] : [])));
  const begun = new Set<number>();
  const results = new Map<number, OperationResult>();
  const ids = new Map<string, string>();
  let waiting: Waiting[] = [];
  let failures = 0;
  const idOf = (bulkId: string) => ids.get(bulkId);
  const isStopped = () => failOnErrors !== undefined && failures >= failOnErrors;

  for (const at of operations.keys()) await run(at);
  for (const { at, made, bulkIds } of waiting) fail(at, unresolved([...bulkIds].join(", ")), made);
  return [...results.keys()].sort((left, right) => left - right).flatMap((at) => results.get(at) ?? []);

  async function run(at: number): Promise<void> {
    const operation = operations[at];
    if (!operation || begun.has(at) || isStopped()) return;
    begun.add(at);
    for (const bulkId of referencesOf(operation)) {
      const maker = makers.get(bulkId);
      if (maker !== undefined) await run(maker);
    }
    if (isStopped()) return;
    try {
      const { ready, later } = resolved(operation);
      const made = await perform(door, { call: await standing(), operation: ready });
      results.set(at, succeeded(operation, made));
      if (operation.method === "POST" && operation.bulkId !== undefined) ids.set(operation.bulkId, made.id);
      if (later !== undefined) waiting.push({ at, made, later, bulkIds: new Set(referencesIn(later)) });
    } catch (error) {
      fail(at, error);
    }
    await complete();
  }

  /** Puts ids in. What can't have one any more fails the operation; what may still get one waits. */
  function resolved(operation: BulkOperation): { ready: BulkOperation; later: JsonValue | undefined } {
    for (const bulkId of referencesOf(operation)) {
      const maker = makers.get(bulkId);
      if (maker === undefined) throw unknown(bulkId);
      if (results.has(maker) && !ids.has(bulkId)) throw unresolved(bulkId);
    }
    const { path, data, ...rest } = operation;
    const { now, later } = withIds(data ?? {}, idOf);
    return { ready: { ...rest, path: withIdsInPath(path), ...(data ? { data: isContainer(now) ? now : {} } : {}) }, later };
  }

  function withIdsInPath(path: string): string {
    return path.replace(IN_PATH, (reference, bulkId: string) => (ids.has(bulkId) ? `/${idOf(bulkId)}` : reference));
  }

  /** Gives what was made without its references the ones that have an id by now. */
  async function complete(): Promise<void> {
    const isDue = ({ bulkIds }: Waiting) => [...bulkIds].every((bulkId) => results.has(makers.get(bulkId) ?? -1));
    const due = waiting.filter(isDue);
    if (due.length === 0) return;
    waiting = waiting.filter((each) => !due.includes(each));
    for (const { at, made, later } of due) {
      const operation = operations[at];
      if (!operation) continue;
      try {
        const { now: value, later: still } = withIds(later, idOf);
        if (still !== undefined) throw unresolved(referencesIn(still).join(", "));
        const data = { schemas: [PATCH_OP], Operations: [{ op: "add", value: value ?? {} }] };
        const patch: BulkOperation = { method: "PATCH", path: `${operation.path.replace(/\/$/, "")}/${made.id}`, data };
        results.set(
          at,
          succeeded(operation, { ...(await perform(door, { call: await standing(), operation: patch })), status: made.status }),
        );
      } catch (error) {
        fail(at, error, made);
      }
    }
  }

  function fail(at: number, error: unknown, made?: Performed): void {
    failures += 1;
    const operation = operations[at];
    if (operation) results.set(at, failed(operation, { error, made, call, path: withIdsInPath(operation.path) }));
  }
}

function isContainer(value: JsonValue | undefined): value is JsonObject | JsonValue[] {
  return isJsonObject(value) || Array.isArray(value);
}

const IN_PATH = /\/bulkId:([^/]+)/i;

/** What must have been made before the operation can be carried out, or at least begun. */
function referencesOf({ path, data }: BulkOperation): Set<string> {
  return new Set([...(IN_PATH.exec(path)?.slice(1, 2) ?? []), ...referencesIn(data)]);
}

function succeeded({ method, bulkId }: BulkOperation, { location, version, status }: Performed): OperationResult {
  return { method, ...(bulkId === undefined ? {} : { bulkId }), location, ...(version ? { version } : {}), status: String(status) };
}

interface Failure {
  error: unknown;
  /** What was made, though a part of it is missing: it is there all the same, and the client must be able to find it. */
  made: Performed | undefined;
  call: Call;
  path: string;
}

function failed({ method, bulkId }: BulkOperation, { error, made, call, path }: Failure): OperationResult {
  const { status, body } = errorAnswer(error, { log: call.ctx.log });
  const location = made?.location ?? locationAt(call, path);
  return {
    method,
    ...(bulkId === undefined ? {} : { bulkId }),
    ...(location === undefined ? {} : { location }),
    ...(made?.version ? { version: made.version } : {}),
    status: String(status),
    response: body,
  };
}

function unknown(bulkId: string): AppError {
  return new AppError("invalid", `No POST of this request has the bulkId ${bulkId.slice(0, 100)}.`, {
    field: "bulkId",
    scimType: "invalidValue",
  });
}

function unresolved(bulkId: string): AppError {
  return new AppError("conflict", `What the bulkId ${bulkId.slice(0, 100)} stands for was not made: see its own result.`, {
    field: "bulkId",
    scimType: "invalidValue",
  });
}
