import { SAML } from "@node-saml/passport-saml";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import type { NameId } from "./assertion.ts";
import { NAME_ID_FORMATS } from "./names.ts";
import type { OwnEndpoints } from "./own-endpoints.ts";
import type { IdentityProvider } from "./provider-metadata.ts";

export interface OutgoingOptions {
  settings: SamlSettings;
  provider: IdentityProvider;
  endpoints: OwnEndpoints;
  /** PEM of the key in use. */
  privateKey: string;
}

/** The address to send a browser to, so that its person signs in (AuthnRequest, HTTP-Redirect binding). `id` comes back as InResponseTo. */
export async function authnRequestUrl(options: OutgoingOptions, { id }: { id: string }): Promise<string> {
  const { settings, provider } = options;
  return library(options, { id, signed: settings.signRequests || provider.wantsSignedRequests }).getAuthorizeUrlAsync("", undefined, {});
}

/** The address to send a browser to, so that its person is signed out (LogoutRequest); undefined where there is no single logout. */
export async function logoutRequestUrl(
  options: OutgoingOptions,
  { id, nameId, sessionIndex }: { id: string; nameId: NameId; sessionIndex: string | undefined },
): Promise<string | undefined> {
  if (options.provider.sloUrl === undefined) return undefined;
  const { value, format, nameQualifier, spNameQualifier } = nameId;
  // The library's type of a user holds more than it reads here.
  const user = {
    issuer: options.provider.entityId,
    nameID: value,
    nameIDFormat: format ?? NAME_ID_FORMATS.unspecified,
    nameQualifier,
    spNameQualifier,
    sessionIndex,
  };
  return library(options, { id, signed: true, logoutUrl: options.provider.sloUrl }).getLogoutUrlAsync(user, "", {});
}

/** The address to send a browser to with the answer to a LogoutRequest. Its RelayState goes back as it came. */
export async function logoutResponseUrl(
  options: OutgoingOptions,
  { id, inResponseTo, relayState, success }: { id: string; inResponseTo: string; relayState: string; success: boolean },
): Promise<string | undefined> {
  const logoutUrl = options.provider.sloResponseUrl ?? options.provider.sloUrl;
  if (logoutUrl === undefined) return undefined;
  const request = { issuer: options.provider.entityId, nameID: "", nameIDFormat: "", ID: inResponseTo };
  return library(options, { id, signed: true, logoutUrl }).getLogoutResponseUrlAsync(request, relayState, {}, success);
}

function library(
  { settings, provider, endpoints, privateKey }: OutgoingOptions,
  { id, signed, logoutUrl }: { id: string; signed: boolean; logoutUrl?: string },
): SAML {
  return new SAML({
    entryPoint: provider.ssoUrl,
    callbackUrl: endpoints.acsUrl,
    issuer: endpoints.entityId,
    idpCert: provider.certificates,
    signatureAlgorithm: "sha256",
    identifierFormat: settings.nameIdFormat === "unspecified" ? null : NAME_ID_FORMATS[settings.nameIdFormat],
    forceAuthn: settings.forceAuthn,
    authnContext: settings.authnContext,
    disableRequestedAuthnContext: settings.authnContext.length === 0,
    generateUniqueId: () => id,
    ...(signed ? { privateKey } : {}),
    ...(logoutUrl === undefined ? {} : { logoutUrl }),
  });
}
