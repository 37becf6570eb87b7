import { isObject } from "./json.ts";

/** The names of RFC 7643, 7644 and 9865 that an answer may have. */
const NAMES = `schemas id externalId meta resourceType created lastModified location version
  userName name formatted familyName givenName middleName honorificPrefix honorificSuffix displayName nickName profileUrl title userType
  preferredLanguage locale timezone active emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates
  value display type primary $ref streetAddress locality region postalCode country members
  employeeNumber costCenter organization division department manager
  totalResults Resources startIndex itemsPerPage nextCursor previousCursor status scimType detail
  patch bulk filter changePassword sort etag pagination supported maxOperations maxPayloadSize maxResults cursor index maxPageSize
  defaultPageSize defaultPaginationMethod cursorTimeout authenticationSchemes description specUri documentationUri`.split(/\s+/);

const KNOWN: ReadonlySet<string> = new Set(NAMES);
const BY_LETTERS: ReadonlyMap<string, string> = new Map(NAMES.map((name) => [name.toLowerCase(), name]));
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user";
/** Nothing of the RFCs lies deeper. */
const DEEPEST = 8;
/** As depth: the names of the value itself, and none within. */
export const TOP_ONLY = DEEPEST;

/** An answer with the RFCs' names in the RFCs' letters: names know no case (RFC 7643 section 2.1), and some applications write them all small. */
export function withKnownNames(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST) return value;
  if (Array.isArray(value)) return value.map((element) => withKnownNames(element, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => {
      const known = KNOWN.has(name) ? name : BY_LETTERS.get(name.toLowerCase());
      // An extension's names are its maker's.
      const inner = isForeign(name) ? held : withKnownNames(held, depth + 1);
      return [known === undefined || known in value ? name : known, inner];
    }),
  );
}

function isForeign(name: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith("urn:") && lower !== ENTERPRISE;
}
