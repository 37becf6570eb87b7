import type { AttributeObject } from "../../../connectors/contract.ts";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import type { ValidatedAssertion } from "./assertion.ts";
import { refused } from "./refusal.ts";

const TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
const MICROSOFT = "http://schemas.microsoft.com/";

/** Short names, which mappings can read without quoting, for the long ones that identity providers are known to use. */
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  [`${CLAIMS}emailaddress`, "mail"],
  [`${CLAIMS}givenname`, "givenName"],
  [`${CLAIMS}surname`, "sn"],
  [`${CLAIMS}name`, "name"],
  [`${CLAIMS}upn`, "userPrincipalName"],
  [`${MICROSOFT}identity/claims/objectidentifier`, "objectId"],
  [`${MICROSOFT}identity/claims/tenantid`, "tenantId"],
  [`${MICROSOFT}identity/claims/displayname`, "displayName"],
  [`${MICROSOFT}ws/2008/06/identity/claims/groups`, "groups"],
  [`${MICROSOFT}ws/2008/06/identity/claims/role`, "roles"],
  ["urn:oid:0.9.2342.19200300.100.1.1", "uid"],
  ["urn:oid:0.9.2342.19200300.100.1.3", "mail"],
  ["urn:oid:2.5.4.42", "givenName"],
  ["urn:oid:2.5.4.4", "sn"],
  ["urn:oid:2.5.4.3", "cn"],
  ["urn:oid:2.16.840.1.113730.3.1.241", "displayName"],
  ["urn:oid:2.16.840.1.113730.3.1.3", "employeeNumber"],
  ["urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName"],
]);

export interface SamlSubject {
  /** What the identity provider calls the person for ever. */
  nativeId: string;
  /** For the connection's mapping: every attribute by its name, the well-known ones by a short one, and the NameID as `nameId`. */
  attributes: AttributeObject;
}

/**
 * Who an assertion is about. Throws `unauthenticated`, field `saml.subject`, when the name is another at each sign-in, or the
 * attribute that is to tell people apart is not there.
 */
export function subjectOf(
  { nameId, attributes }: ValidatedAssertion,
  { nativeId, lists }: Pick<SamlSettings, "nativeId" | "lists">,
): SamlSubject {
  const named = new Map<string, readonly string[]>([["nameId", [nameId.value]]]);
  for (const [name, values] of attributes) {
    const short = SHORT_NAMES.get(name);
    if (short !== undefined && !attributes.has(short)) named.set(short, values);
    if (name !== "nameId") named.set(name, values);
  }
  const isList = (name: string, values: readonly string[]) => values.length !== 1 || lists.includes(name);
  return {
    nativeId: nativeIdOf({ nameId, named, nativeId }),
    attributes: Object.fromEntries([...named].map(([name, values]) => [name, isList(name, values) ? [...values] : (values[0] ?? "")])),
  };
}

function nativeIdOf({
  nameId,
  named,
  nativeId,
}: Pick<ValidatedAssertion, "nameId"> & { named: ReadonlyMap<string, readonly string[]>; nativeId: string | undefined }): string {
  if (nativeId === undefined) {
    if (nameId.format === TRANSIENT)
      throw refused(
        "subject",
        "The NameID is transient, another at each sign-in: have a persistent one sent, or set nativeId to an attribute that stays.",
      );
    return nameId.value;
  }
  const [value, ...more] = named.get(nativeId) ?? [];
  if (value === undefined || more.length > 0 || value.length > 1024)
    throw refused("subject", `The attribute ${nativeId}, which tells people apart, has not exactly one value.`);
  return value;
}
