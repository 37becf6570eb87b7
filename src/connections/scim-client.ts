import type { ScimInboundSettings } from "../../connectors/scim-inbound/config.ts";
import { connectors } from "../../connectors/registry.ts";
import { AppError } from "../errors.ts";

/** Settings as stored (JSON text) to settings as the connector's schema gives them. */
export type ScimClientReader = (connection: { name: string; settings: string }) => ScimInboundSettings;

const MOST_KEPT = 1000;

/** Reads the settings of SCIM clients' connections; each text is parsed once, since every request begins with one. Throws `misconfigured`. */
export function scimClientReader(): ScimClientReader {
  const kept = new Map<string, ScimInboundSettings>();
  return ({ name, settings }) => {
    const known = kept.get(settings);
    if (known) return known;
    const read = connectors["scim-inbound"]?.settings.safeParse(JSON.parse(settings));
    if (!read?.success)
      throw new AppError(
        "misconfigured",
        `The stored settings of the connection ${name} are no SCIM client's; add it again with --replace, or make the token for another one.`,
      );
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(settings, read.data as ScimInboundSettings);
    return read.data as ScimInboundSettings;
  };
}
