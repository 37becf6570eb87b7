import { checkIssuer, type NameId } from "./assertion.ts";
import { instantOf, isBefore, isFrom } from "./instant.ts";
import { NAMESPACES, SUCCESS } from "./names.ts";
import { refused } from "./refusal.ts";
import { checkVersion } from "./response-shape.ts";
import { nameIdIn } from "./name-id.ts";
import { childrenOf, isNamed, onlyChild, plainText, type XmlElement } from "./xml/element.ts";

const { protocol, assertion } = NAMESPACES;
/** How long a request is good that does not say it itself. */
const GOOD_FOR_MS = 5 * 60_000;

export interface LogoutExpected {
  issuer: string;
  /** Where the message was received. */
  sloUrl: string;
  clockSkewSeconds: number;
  now: Date;
}

export interface LogoutRequest {
  id: string;
  nameId: NameId;
  /** The sessions there that end; all of the person's when empty. */
  sessionIndexes: string[];
  /** Until when it could be used again, were it not remembered. */
  usableUntil: Date;
}

/** A LogoutRequest (saml-core-2.0 section 3.7.1) whose signature holds. Throws `unauthenticated`. */
export async function checkedLogoutRequest(
  { root, text }: { root: XmlElement; text: string },
  { keys, ...expected }: LogoutExpected & { keys: readonly string[] },
): Promise<LogoutRequest> {
  if (!isNamed(root, { namespace: protocol, name: "LogoutRequest" })) throw refused("shape", "The message is not a LogoutRequest.");
  checkFrame(root, expected);
  const clock = { now: expected.now, skewMs: expected.clockSkewSeconds * 1000 };
  const issued = instantOf(root.attributes.get("IssueInstant"));
  if (!issued || !isFrom(issued, clock)) throw refused("time", "The request is of a time that is yet to come: check both clocks.");
  const stated = root.attributes.get("NotOnOrAfter");
  const until = stated === undefined ? new Date(issued.getTime() + GOOD_FOR_MS) : instantOf(stated);
  if (!until || !isBefore(until, clock)) throw refused("time", "The request is no longer valid: check both clocks.");
  // All of it is signed, so that nobody can try changes of what is encrypted.
  const nameId = await nameIdIn(root, { text, keys, signedAround: true });
  const [id, value] = [root.attributes.get("ID"), plainText(nameId)];
  if (!id || !nameId || value === undefined) throw refused("subject", "The request does not say who is to be signed out.");
  const sessionIndexes = childrenOf(root, { namespace: protocol, name: "SessionIndex" }).flatMap((each) => plainText(each) ?? []);
  return {
    id,
    nameId: { value, format: nameId.attributes.get("Format") },
    sessionIndexes,
    usableUntil: new Date(until.getTime() + clock.skewMs),
  };
}

/** A LogoutResponse (section 3.7.2) whose signature holds: the request that it answers, and whether everything was signed out there. */
export function checkedLogoutResponse(root: XmlElement, expected: LogoutExpected): { inResponseTo: string; complete: boolean } {
  if (!isNamed(root, { namespace: protocol, name: "LogoutResponse" })) throw refused("shape", "The message is not a LogoutResponse.");
  checkFrame(root, expected);
  const inResponseTo = root.attributes.get("InResponseTo");
  if (inResponseTo === undefined) throw refused("in_response_to", "The response answers no request.");
  const status = onlyChild(onlyChild(root, { namespace: protocol, name: "Status" }), { namespace: protocol, name: "StatusCode" });
  const partial = status?.children.length !== 0;
  return { inResponseTo, complete: status?.attributes.get("Value") === SUCCESS && !partial };
}

/** A signed message says where it goes (saml-bindings-2.0 section 3.4.5.2). */
function checkFrame(root: XmlElement, { issuer, sloUrl }: LogoutExpected): void {
  checkVersion(root);
  checkIssuer(onlyChild(root, { namespace: assertion, name: "Issuer" }), issuer);
  if (root.attributes.get("Destination") !== sloUrl) throw refused("destination", "The message was meant for another address.");
}
