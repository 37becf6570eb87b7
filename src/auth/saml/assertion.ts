import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { BEARER, ENTITY_FORMAT, NAMESPACES, SUCCESS } from "./names.ts";
import { refused } from "./refusal.ts";
import { checkVersion } from "./response-shape.ts";
import { instantOf, isBefore, isFrom } from "./instant.ts";
import { nameIdIn } from "./name-id.ts";
import { childrenOf, isNamed, onlyChild, plainText, type XmlElement } from "./xml/element.ts";

const { assertion: namespace, protocol } = NAMESPACES;
const part = (parent: XmlElement | undefined, name: string) => onlyChild(parent, { namespace, name });
const parts = (parent: XmlElement | undefined, name: string) => childrenOf(parent, { namespace, name });

export interface NameId {
  value: string;
  format?: string | undefined;
  nameQualifier?: string | undefined;
  spNameQualifier?: string | undefined;
}

/** What an identity provider asserts of somebody, once everything about it has been checked. */
export interface ValidatedAssertion {
  id: string;
  nameId: NameId;
  /** By name, each with all its values, in the order of the statement. */
  attributes: ReadonlyMap<string, readonly string[]>;
  /** The IdP's own session, for single logout. */
  sessionIndex?: string | undefined;
  /** When the session at the identity provider ends, where it says so. */
  sessionNotOnOrAfter?: Date | undefined;
  /** When the person proved themselves there. */
  authenticatedAt: Date;
  /** AuthnContextClassRef. */
  authnContext?: string | undefined;
  /** The request that this answers; absent when nobody asked. */
  inResponseTo?: string | undefined;
  /** Until when it could be used again, were it not remembered: skew included. */
  usableUntil: Date;
}

export interface Expected {
  settings: Pick<SamlSettings, "clockSkewSeconds" | "authnContext" | "authnContextComparison">;
  /** The identity provider's entity ID. */
  issuer: string;
  own: { entityId: string; acsUrl: string };
  now: Date;
  /** PEM of our private keys, for a name that is encrypted. */
  decryptionKeys: readonly string[];
}

/** Checks an assertion whose signature holds, by saml-profiles-2.0 section 4.1.4.3. Throws `unauthenticated`, its field saying why. */
export async function checkedAssertion(
  { response, assertion, text }: { response: XmlElement; assertion: XmlElement; text: string },
  expected: Expected,
): Promise<ValidatedAssertion> {
  const skewMs = expected.settings.clockSkewSeconds * 1000;
  const clock = { now: expected.now, skewMs };
  if (!isNamed(assertion, { namespace, name: "Assertion" })) throw refused("shape", "What is signed is not an assertion.");
  checkVersion(assertion);
  checkResponse(response, expected);
  checkIssuer(part(assertion, "Issuer"), expected.issuer);
  const id = assertion.attributes.get("ID");
  if (!id) throw refused("shape", "The assertion has no ID.");
  const subject = part(assertion, "Subject");
  const nameId = await nameIdIn(subject, { text, keys: expected.decryptionKeys, signedAround: true });
  const value = plainText(nameId);
  if (!nameId || value === undefined || value.length > 1024) throw refused("subject", "The assertion names nobody: it has no NameID.");
  const confirmation = confirmationOf(subject, { expected, ...clock });
  const inResponseTo = confirmation.data.attributes.get("InResponseTo");
  if (response.attributes.get("InResponseTo") !== inResponseTo)
    throw refused("in_response_to", "Response and assertion don't answer the same request.");
  checkConditions(part(assertion, "Conditions"), { expected, ...clock });
  const statement = statementOf(assertion, clock);
  checkContext(statement.authnContext, expected.settings);
  return {
    id,
    nameId: {
      value,
      format: nameId.attributes.get("Format"),
      nameQualifier: nameId.attributes.get("NameQualifier"),
      spNameQualifier: nameId.attributes.get("SPNameQualifier"),
    },
    attributes: attributesOf(assertion),
    ...statement,
    inResponseTo,
    usableUntil: new Date(confirmation.notOnOrAfter.getTime() + skewMs),
  };
}

/** What of the response may be unsigned can only make things worse for who changes it. */
function checkResponse(response: XmlElement, { issuer, own }: Expected): void {
  const status = onlyChild(onlyChild(response, { namespace: protocol, name: "Status" }), { namespace: protocol, name: "StatusCode" });
  if (status?.attributes.get("Value") !== SUCCESS)
    throw refused("status", `The identity provider answers ${status?.attributes.get("Value")?.slice(0, 200) ?? "nothing"}.`);
  const destination = response.attributes.get("Destination");
  if (destination !== undefined && destination !== own.acsUrl) throw refused("destination", "The response was meant for another address.");
  if (parts(response, "Issuer").length > 0) checkIssuer(part(response, "Issuer"), issuer);
}

export function checkIssuer(element: XmlElement | undefined, expected: string): void {
  const format = element?.attributes.get("Format");
  if (plainText(element) !== expected || (format !== undefined && format !== ENTITY_FORMAT))
    throw refused("issuer", `The message is of ${plainText(element)?.slice(0, 200) ?? "nobody"}, not of ${expected}.`);
}

interface Clock {
  now: Date;
  skewMs: number;
}

/** The bearer confirmation that is for us, for now. */
function confirmationOf(
  subject: XmlElement | undefined,
  { expected, ...clock }: Clock & { expected: Expected },
): { data: XmlElement; notOnOrAfter: Date } {
  const bearers = parts(subject, "SubjectConfirmation").filter(({ attributes }) => attributes.get("Method") === BEARER);
  const data = bearers.flatMap((bearer) => part(bearer, "SubjectConfirmationData") ?? []);
  if (data.length === 0) throw refused("subject", "The assertion does not say that its bearer may use it.");
  const ours = data.filter(({ attributes }) => attributes.get("Recipient") === expected.own.acsUrl);
  if (ours.length === 0) throw refused("recipient", "The assertion was made for another recipient.");
  for (const each of ours) {
    const until = instantOf(each.attributes.get("NotOnOrAfter"));
    // NotBefore must not stand in a bearer's confirmation (section 4.1.4.2).
    if (until && isBefore(until, clock) && !each.attributes.has("NotBefore")) return { data: each, notOnOrAfter: until };
  }
  throw refused("time", "The assertion is no longer to be used, or does not say until when it is: check both clocks.");
}

function checkConditions(conditions: XmlElement | undefined, { expected, ...clock }: Clock & { expected: Expected }): void {
  if (!conditions) throw refused("audience", "The assertion has no conditions, and so no audience.");
  for (const condition of conditions.children) {
    const known = condition.namespace === namespace && ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"].includes(condition.name);
    if (!known) throw refused("shape", `The assertion has a condition that is not understood here (${condition.name}).`);
  }
  const restrictions = parts(conditions, "AudienceRestriction");
  const meant = restrictions.every((each) => parts(each, "Audience").some((audience) => plainText(audience) === expected.own.entityId));
  if (restrictions.length === 0 || !meant) throw refused("audience", `The assertion is not for ${expected.own.entityId}.`);
  const { from, until } = { from: conditions.attributes.get("NotBefore"), until: conditions.attributes.get("NotOnOrAfter") };
  if (from !== undefined && !isFrom(instantOf(from), clock)) throw refused("time", "The assertion is not valid yet: check both clocks.");
  if (until !== undefined && !isBefore(instantOf(until), clock))
    throw refused("time", "The assertion is no longer valid: check both clocks.");
}

function statementOf(
  assertion: XmlElement,
  clock: Clock,
): Pick<ValidatedAssertion, "sessionIndex" | "sessionNotOnOrAfter" | "authenticatedAt" | "authnContext"> {
  const [statement] = parts(assertion, "AuthnStatement");
  const authenticatedAt = instantOf(statement?.attributes.get("AuthnInstant"));
  if (!statement || !authenticatedAt)
    throw refused("shape", "The assertion does not say that anybody signed in: it has no AuthnStatement.");
  if (!isFrom(authenticatedAt, clock)) throw refused("time", "The assertion tells of a sign-in that is yet to come: check both clocks.");
  const ends = statement.attributes.get("SessionNotOnOrAfter");
  if (ends !== undefined && !isBefore(instantOf(ends), clock)) throw refused("time", "The session at the identity provider is over.");
  return {
    sessionIndex: statement.attributes.get("SessionIndex"),
    sessionNotOnOrAfter: ends === undefined ? undefined : instantOf(ends),
    authenticatedAt,
    authnContext: plainText(part(part(statement, "AuthnContext"), "AuthnContextClassRef")),
  };
}

/** Whoever was asked to prove themselves in one of some ways has (saml-core-2.0 section 3.3.2.2.1); which way is stronger is not known here. */
function checkContext(context: string | undefined, { authnContext, authnContextComparison }: Expected["settings"]): void {
  if (authnContext.length === 0 || authnContextComparison !== "exact") return;
  if (context === undefined || !authnContext.includes(context))
    throw refused(
      "context",
      `The person signed in by ${context?.slice(0, 200) ?? "a way that is not told"}, which the connection does not ask for.`,
    );
}

const MOST_VALUES = 2000;

function attributesOf(assertion: XmlElement): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let count = 0;
  for (const attribute of parts(assertion, "AttributeStatement").flatMap((statement) => parts(statement, "Attribute"))) {
    const name = attribute.attributes.get("Name");
    if (!name) throw refused("shape", "An attribute of the assertion has no name.");
    const values = parts(attribute, "AttributeValue").flatMap((value) => valueOf(value) ?? []);
    count += values.length;
    if (count > MOST_VALUES) throw refused("shape", `The assertion has more than ${MOST_VALUES} values.`);
    found.set(name, [...(found.get(name) ?? []), ...values]);
  }
  return found;
}

/** Text; of a NameID inside (as eduPersonTargetedID has it) its text. */
function valueOf(value: XmlElement): string | undefined {
  return plainText(value) ?? plainText(part(value, "NameID"));
}
