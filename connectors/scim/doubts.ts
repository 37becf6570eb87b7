import { Fault } from "../contract.ts";
import type { HttpAnswer, HttpRequest } from "../kit/http.ts";
import { isObject } from "./json.ts";

const ERROR = "urn:ietf:params:scim:api:messages:2.0:error";

export interface Asking {
  /** As sentences call it. */
  system: string;
  /** `/Users` or `/Groups`. */
  collection: string;
  call: (request: HttpRequest) => Promise<HttpAnswer>;
}

/**
 * Whether a 404 or 410 to a GET tells that this one resource is gone. A gateway with nothing behind it answers everything so: whoever is to
 * leave would be taken for gone, and stay in. Throws `transient` where the application knows none of the kind.
 */
export async function isGone({ status, body }: Pick<HttpAnswer, "status" | "body">, asking: Asking): Promise<boolean> {
  if (status !== 404 && status !== 410) return false;
  if (status === 410 || isScimError(body)) return true;
  if ((await listing(asking)) !== "nowhere") return true;
  const { system, collection } = asking;
  throw new Fault(
    "transient",
    `${system} answers 404, and for ${collection} as a whole, too: nothing there can be believed. Check the URL, and that the application runs.`,
  );
}

/**
 * What a refusal means: where the credential is still let in, `rejected`, because only this change is refused (an owner who can't
 * be disabled, a licence that is used up). As `denied` it would hold up everybody else's changes.
 */
export async function refusalOf(error: unknown, asking: Asking): Promise<unknown> {
  if (!(error instanceof Fault) || error.kind !== "denied" || (await listing(asking)) !== "there") return error;
  const said = error.message.replace(/ Check the credential and what it may do\.$/, "");
  return new Fault(
    "rejected",
    `${said} ${asking.collection} can still be read, so that the others' changes go on; where every change is refused, the credential lacks the right to it.`,
    { cause: error },
  );
}

async function listing({ call, collection }: Asking): Promise<"there" | "nowhere" | "untold"> {
  try {
    const { status } = await call({ method: "GET", path: collection, query: { startIndex: 1, count: 1 }, expect: [404] });
    return status === 404 ? "nowhere" : "there";
  } catch (error) {
    if (error instanceof Fault && (error.kind === "transient" || error.kind === "throttled")) throw error;
    return "untold";
  }
}

function isScimError(body: unknown): boolean {
  const schemas = isObject(body) ? body["schemas"] : undefined;
  return Array.isArray(schemas) && schemas.some((urn) => String(urn).toLowerCase() === ERROR);
}
