import type { AttributeObject, AttributeValue } from "../../../connectors/contract.ts";
import { isStorable } from "../../../connectors/kit/storable-text.ts";
import type { OidcSettings } from "../../../connectors/oidc/config.ts";
import { keepsItsLetters } from "../../directory/letter-case.ts";
import { notBelieved } from "./provider-errors.ts";

export interface OidcSubject {
  /** Never given to anybody else, and never an address: `sub`; with Entra ID, which gives each client another, `tid.oid`. */
  nativeId: string;
  /** `sub`, as logout tokens say it. */
  subject: string;
  /** Claims as attributes of an account, without those that differ from one sign-in to the next. */
  attributes: AttributeObject;
  /** Addresses that the provider says it has verified. */
  verified: readonly string[];
  /** The sign-in there stands for both factors. */
  bothFactors: boolean;
}

type Claims = Readonly<Record<string, unknown>>;

/** Claims of the token rather than of the person. */
const OF_THE_TOKEN = new Set(
  "acct acr aio amr at_hash aud auth_time azp azpacr c_hash exp iat idp iss jti login_hint nbf nonce rh s_hash sid uti ver xms_ftd".split(
    " ",
  ),
);

/** Whom a provider's claims mean, in that provider's way. Pure. Throws `forbidden` for somebody of another tenant or domain. */
export function oidcSubject(settings: OidcSettings, { sub, claims }: { sub: string; claims: Claims }): OidcSubject {
  return {
    nativeId: nativeIdOf(settings, { sub, claims }),
    subject: sub,
    attributes: attributesOf({ ...claims, sub }),
    verified: verifiedAddresses(settings, claims),
    bothFactors: isBothFactors(settings, claims),
  };
}

function nativeIdOf(settings: OidcSettings, { sub, claims }: { sub: string; claims: Claims }): string {
  const { preset, issuer, tenantId, hostedDomains = [] } = settings;
  if (preset === "entra") {
    const { tid, oid } = claims;
    if (typeof tid !== "string" || tid.toLowerCase() !== tenantId?.toLowerCase())
      throw notBelieved(issuer, "the person is of another tenant (tid)");
    if (typeof oid !== "string" || oid === "") throw notBelieved(issuer, "the person has no object id (oid); the scope profile gives it");
    return `${tid.toLowerCase()}.${oid.toLowerCase()}`;
  }
  if (preset === "google" && !hostedDomains.includes(String(claims["hd"]).toLowerCase()))
    throw notBelieved(issuer, "the account is in none of the hosted domains (hd)");
  return sub;
}

/** Core section 5.1; Entra ID says it with `xms_edov`, of addresses whose domain's owner it has verified. */
function verifiedAddresses({ preset }: OidcSettings, claims: Claims): string[] {
  const { email } = claims;
  if (typeof email !== "string" || !keepsItsLetters(email)) return [];
  const owned = claims["xms_edov"];
  const verified =
    preset === "entra" ? owned === true || owned === 1 || owned === "1" || owned === "true" : claims["email_verified"] === true;
  return verified ? [email.trim().toLowerCase()] : [];
}

function isBothFactors({ bothFactors }: OidcSettings, { amr, acr }: Claims): boolean {
  const methods: readonly unknown[] = Array.isArray(amr) ? amr : [];
  return bothFactors.amr.some((method) => methods.includes(method)) || (typeof acr === "string" && bothFactors.acr.includes(acr));
}

function attributesOf(claims: Claims): AttributeObject {
  return objectOf(Object.fromEntries(Object.entries(claims).filter(([name]) => !OF_THE_TOKEN.has(name))));
}

const DEEPEST = 4;
const LONGEST_TEXT = 4000;
const LONGEST_LIST = 1000;
const MOST_NAMES = 200;

/** What of a claim an attribute can hold: of a mixed list, its texts; nothing too deep, too long, or that PostgreSQL can't keep. */
function objectOf(value: Claims, depth = 1): AttributeObject {
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MOST_NAMES)
      .flatMap(([name, each]) => {
        const kept = valueOf(each, depth);
        return kept === undefined || !isText(name) ? [] : [[name, kept]];
      }),
  );
}

function valueOf(value: unknown, depth: number): AttributeValue | undefined {
  if (typeof value === "string") return isText(value) ? value : undefined;
  if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) return value;
  if (Array.isArray(value)) {
    const some = value.slice(0, LONGEST_LIST);
    const objects = depth < DEEPEST ? some.filter(isObject) : [];
    return objects.length > 0 && objects.length === some.length
      ? objects.map((each) => objectOf(each, depth + 1))
      : some.filter((each): each is string => typeof each === "string" && isText(each));
  }
  return isObject(value) && depth < DEEPEST ? objectOf(value, depth + 1) : undefined;
}

function isText(text: string): boolean {
  return text.length <= LONGEST_TEXT && isStorable(text);
}

function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
