import { inflateRawSync } from "node:zlib";
import { connectionDefinitionSchema } from "../../../src/connections/definition.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { assertionXml, encoded, responseXml, signed, type AssertionParts, type Keys } from "../../auth/saml/signer.ts";
import { keyRing } from "../scim/door.ts";
import type { Answer, Browser } from "./browser.ts";
import type { LoginDoor } from "./login-door.ts";
import { addressIn } from "./oidc-door.ts";

const MAPPING = {
  user: { attributes: { userName: "account.nameId", "emails.work": "account.mail" } },
  match: ["userName"],
};

export interface SamlConnectionOptions {
  name: string;
  settings: Record<string, unknown>;
  policy?: Record<string, unknown>;
}

/** Adds, or changes, a connection by which people sign in; returns its id. */
export async function addSaml(
  door: LoginDoor,
  { name, settings, policy = { signIn: { create: true } } }: SamlConnectionOptions,
): Promise<number> {
  const definition = connectionDefinitionSchema.parse({ name, connector: "saml", settings, mapping: MAPPING, policy });
  return (await door.work((work) => addConnection(work, { definition, keyRing, replace: true }))).id;
}

export interface Own {
  entityId: string;
  acsUrl: string;
  sloUrl: string;
  /** Base64 of each signing certificate. */
  certificates: string[];
  xml: string;
}

/** What our metadata say of a connection, as an identity provider reads them. */
export async function ownMetadataOf(door: LoginDoor, name: string): Promise<Own> {
  const { text: xml } = await door.browser().get(`/saml/${name}/metadata`);
  const first = (pattern: RegExp) => pattern.exec(xml)?.[1] ?? "";
  const signing = xml.split("<md:KeyDescriptor").filter((part) => part.includes('use="signing"'));
  return {
    xml,
    entityId: first(/entityID="([^"]+)"/),
    acsUrl: first(/AssertionConsumerService [^>]*Location="([^"]+)"/),
    sloUrl: first(/SingleLogoutService [^>]*Location="([^"]+)"/),
    certificates: signing.map((part) => /X509Certificate>([^<]+)</.exec(part)?.[1] ?? ""),
  };
}

/** Begins a sign-in; returns the address at the identity provider, and the request's id. */
export async function begin(
  browser: Browser,
  name: string,
  returnTo = "/account",
  more = "",
): Promise<{ url: URL; id: string; xml: string }> {
  const url = new URL(addressIn(await browser.get(`/saml/${name}/login?return_to=${encodeURIComponent(returnTo)}${more}`)));
  const xml = inflateRawSync(Buffer.from(url.searchParams.get("SAMLRequest") ?? "", "base64")).toString("utf8");
  return { url, xml, id: / ID="([^"]+)"/.exec(xml)?.[1] ?? "" };
}

/** Posts what the identity provider's page would post. */
export async function post(browser: Browser, address: string, fields: Record<string, string>): Promise<Answer> {
  return browser.submit(new URL(address).pathname, fields, { Origin: "https://idp.example.org", "Sec-Fetch-Site": "cross-site" });
}

export interface AnswerOptions extends AssertionParts {
  key: Keys;
  own: Own;
  now: Date;
}

/** A response with a signed assertion, in base64. */
export function answerOf({ key, own, ...parts }: AnswerOptions): string {
  const { inResponseTo, now } = parts;
  const assertion = assertionXml({ audience: own.entityId, recipient: own.acsUrl, ...parts, inResponseTo });
  const whole = responseXml(signed(assertion, { key: key.privateKey, element: "Assertion" }), {
    destination: own.acsUrl,
    inResponseTo,
    now,
  });
  return encoded(whole);
}
