import { Fault } from "../contract.ts";
import type { HttpAnswer, HttpRequest } from "../kit/http.ts";
import { isObject } from "./json.ts";
import { TOP_ONLY, withKnownNames } from "./names.ts";

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
  throw nowhere(asking);
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

/**
 * A list by a filter. Throws `gone` for a 404, by which some say that nobody matches, and `rejected` where filters are not offered (501) or
 * this one is refused: as a credential's or an address's fault it would hold up everybody's changes, though the list can be read without.
 */
export async function askedByFilter(request: HttpRequest, asking: Asking): Promise<HttpAnswer> {
  const { system, collection, call } = asking;
  const answer = await call({ ...request, expect: [404, 501] }).catch(async (error: unknown) => {
    throw await refusalOf(error, asking);
  });
  if (answer.status === 501) throw new Fault("rejected", `${system} answers 501 to a filter of ${collection}: it offers none.`);
  if (answer.status !== 404) return answer;
  if ((await listing(asking)) === "nowhere") throw nowhere(asking);
  throw new Fault("gone", `${system} answers 404 to a filter of ${collection}.`);
}

function nowhere({ system, collection }: Asking): Fault {
  return new Fault(
    "transient",
    `${system} answers 404, and for ${collection} as a whole, too: nothing there can be believed. Check the URL, and that the application runs.`,
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

/**
 * The status of a SCIM error, for answers that have it in the body alone: some applications, and gateways before them, say 200 to
 * everything, and whoever was to leave would stay in. One that does not say which it is may pass.
 */
export function errorIn(body: unknown): number | undefined {
  const error = withKnownNames(body, TOP_ONLY);
  if (!isObject(error) || !isScimError(error)) return undefined;
  const status = Number(error["status"]);
  return status >= 400 && status < 600 ? status : 500;
}

function isScimError(body: unknown): boolean {
  const schemas = isObject(body) ? body["schemas"] : undefined;
  return Array.isArray(schemas) && schemas.some((urn) => String(urn).toLowerCase() === ERROR);
}
