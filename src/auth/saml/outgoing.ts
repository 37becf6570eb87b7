import { sign } from "node:crypto";
import { promisify } from "node:util";
import { deflateRaw } from "node:zlib";
import { z } from "zod";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import type { NameId } from "./assertion.ts";
import { authnRequest, logoutRequest, logoutResponse } from "./messages.ts";
import type { OwnEndpoints } from "./own-endpoints.ts";
import type { OwnKey } from "./own-keys.ts";
import type { Binding, IdentityProvider } from "./provider-metadata.ts";
import { signedXml } from "./sign-xml.ts";
import { methodFor } from "./signature-methods.ts";

export interface OutgoingOptions {
  settings: SamlSettings;
  provider: IdentityProvider;
  endpoints: OwnEndpoints;
  /** The one in use. */
  key: Pick<OwnKey, "privateKey" | "certificate">;
  now: Date;
}

export const leavingSchema = z.object({
  url: z.string(),
  /** A form that the browser posts there; absent = the address holds all. */
  fields: z.record(z.string(), z.string()).optional(),
});
/** How a browser is sent to the identity provider with a message of ours. */
export type Leaving = z.output<typeof leavingSchema>;

/** Sends a browser to sign its person in. `id` comes back as InResponseTo. */
export function authnRequestTo(
  { settings, provider, endpoints, key, now }: OutgoingOptions,
  { id, passive = false }: { id: string; passive?: boolean },
): Promise<Leaving> {
  const { entityId: issuer, acsUrl } = endpoints;
  const xml = authnRequest({ id, at: now, destination: provider.ssoUrl, issuer, acsUrl, settings, passive });
  const signed = settings.signRequests || provider.wantsSignedRequests;
  return sent(xml, { name: "SAMLRequest", address: provider.ssoUrl, binding: provider.ssoBinding, key: signed ? key : undefined });
}

/** Sends a browser to sign its person out; undefined where there is no single logout. */
export async function logoutRequestTo(
  { provider, endpoints, key, now }: OutgoingOptions,
  { id, nameId, sessionIndex }: { id: string; nameId: NameId; sessionIndex: string | undefined },
): Promise<Leaving | undefined> {
  const { sloUrl: address, sloBinding: binding } = provider;
  if (address === undefined) return undefined;
  const xml = logoutRequest({ id, at: now, destination: address, issuer: endpoints.entityId, nameId, sessionIndex });
  return sent(xml, { name: "SAMLRequest", address, binding, key });
}

/** Sends a browser back with the answer to a LogoutRequest. Its RelayState goes back as it came. */
export async function logoutResponseTo(
  { provider, endpoints, key, now }: OutgoingOptions,
  { id, inResponseTo, relayState }: { id: string; inResponseTo: string; relayState: string },
): Promise<Leaving | undefined> {
  const { sloBinding: binding } = provider;
  const address = provider.sloResponseUrl ?? provider.sloUrl;
  if (address === undefined) return undefined;
  const xml = logoutResponse({ id, at: now, destination: address, issuer: endpoints.entityId, inResponseTo });
  return sent(xml, { name: "SAMLResponse", address, binding, key, relayState });
}

interface SendOptions {
  name: "SAMLRequest" | "SAMLResponse";
  address: string;
  binding: Binding;
  /** Absent = not signed. */
  key: OutgoingOptions["key"] | undefined;
  relayState?: string;
}

async function sent(xml: string, options: SendOptions): Promise<Leaving> {
  return options.binding === "post" ? posted(xml, options) : redirected(xml, options);
}

/** HTTP-POST binding (saml-bindings-2.0 section 3.5): signed inside. */
function posted(xml: string, { name, address, key, relayState = "" }: SendOptions): Leaving {
  const text = key === undefined ? xml : signedXml(xml, { key, after: "Issuer" });
  const fields: Record<string, string> = { [name]: Buffer.from(text).toString("base64") };
  if (relayState !== "") fields["RelayState"] = relayState;
  return { url: address, fields };
}

/** HTTP-Redirect binding (section 3.4): what is signed is the query. */
async function redirected(xml: string, { name, address, key, relayState = "" }: SendOptions): Promise<Leaving> {
  const packed = await promisify(deflateRaw)(xml);
  const pairs: [string, string][] = [[name, packed.toString("base64")]];
  if (relayState !== "") pairs.push(["RelayState", relayState]);
  if (key !== undefined) pairs.push(["SigAlg", methodFor(key.privateKey)]);
  const query = pairs.map(([parameter, value]) => `${parameter}=${encodeURIComponent(value)}`).join("&");
  const signature = key === undefined ? "" : `&Signature=${encodeURIComponent(signatureOver(query, key.privateKey))}`;
  return { url: `${address}${address.includes("?") ? "&" : "?"}${query}${signature}` };
}

/** Of elliptic curves as X.509 writes it: that is what verifiers read that know no XML signatures, and queries are not XML. */
function signatureOver(query: string, privateKey: string): string {
  return sign("sha256", Buffer.from(query), privateKey).toString("base64");
}
