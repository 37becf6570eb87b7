import { isIP } from "node:net";

/** As whom passkeys know us (WebAuthn section 5.4.2). */
export interface RelyingParty {
  /** The host name: a passkey is good for it alone. */
  id: string;
  name: string;
  /** Scheme, host and port, as the browser says them. */
  origin: string;
}

/** Who we are by the address that people sign in at; undefined for one that no browser makes passkeys for: a number, or without TLS (localhost apart). Pure. */
export function relyingPartyOf({ baseUrl, name }: { baseUrl: string; name: string }): RelyingParty | undefined {
  const { hostname, origin, protocol } = new URL(baseUrl);
  const isLocal = hostname === "localhost" || hostname.endsWith(".localhost");
  if (isIP(hostname.replaceAll(/[[\]]/g, "")) !== 0 || (protocol !== "https:" && !isLocal)) return undefined;
  return { id: hostname, name, origin };
}
