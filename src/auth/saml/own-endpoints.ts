import type { SamlSettings } from "../../../connectors/saml/config.ts";

/** Where an identity provider and its people's browsers reach us for one connection. */
export interface OwnEndpoints {
  entityId: string;
  metadataUrl: string;
  acsUrl: string;
  sloUrl: string;
}

/** `baseUrl` has no slash at its end. Pure. */
export function ownEndpoints(
  { name, settings }: { name: string; settings: Pick<SamlSettings, "ownEntityId"> },
  baseUrl: string,
): OwnEndpoints {
  const at = `${baseUrl}/saml/${name}`;
  const metadataUrl = `${at}/metadata`;
  return { entityId: settings.ownEntityId ?? metadataUrl, metadataUrl, acsUrl: `${at}/acs`, sloUrl: `${at}/slo` };
}
