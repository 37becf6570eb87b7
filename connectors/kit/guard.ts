import { lookup as resolveName } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import type { Network } from "../contract.ts";
import { mayReach } from "./address.ts";

/** Nothing was sent: the host is at an address that the operator has not opened. */
export class AddressRefused extends Error {
  readonly code = "ADDRESS_REFUSED";

  constructor(host: string) {
    super(
      `${host} is at a loopback, link-local, private or otherwise reserved address, which is not connected to unless the operator's configuration allows that network (outbound.allow)`,
    );
    this.name = "AddressRefused";
  }
}

/** Throws AddressRefused for an address written into a URL, in whichever form, and for this machine's own name. */
export function refuseLiteral(host: string, { allow }: Pick<Network, "allow">): void {
  const bare = host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const address = /^(.*\.)?localhost$/i.test(bare) ? "127.0.0.1" : bare;
  if (isIP(address.split("%")[0] ?? "") !== 0 && !mayReach(address, allow)) throw new AddressRefused(host);
}

/**
 * The resolver for connections: it gives only addresses that may be reached, and the socket connects to one of these, so that
 * no second answer of the name server can lead elsewhere.
 */
export function guardedLookup({ allow }: Pick<Network, "allow">, resolve: typeof resolveName = resolveName): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, "", 0);
      const open = found.filter(({ address }) => mayReach(address, allow));
      const [first] = open;
      if (first === undefined) return callback(new AddressRefused(host), "", 0);
      if (options.all) callback(null, open);
      else callback(null, first.address, first.family);
    });
  };
}

export interface ConnectOptions {
  network: Pick<Network, "allow">;
  timeoutMs: number;
  /** PEM of a private CA, instead of the system's. */
  ca?: string | undefined;
}

/** Opens sockets for undici, with TLS verified whatever the environment says. */
export function guardedConnector({ network, timeoutMs, ca }: ConnectOptions): buildConnector.connector {
  const connect = buildConnector({ ...tlsOptions({ timeoutMs, ca }), lookup: guardedLookup(network) } as buildConnector.BuildOptions);
  return (options, callback) => {
    try {
      // An address is never looked up.
      refuseLiteral(options.hostname, network);
    } catch (error) {
      return callback(error instanceof Error ? error : new Error(String(error)), null);
    }
    connect(options, callback);
  };
}

/** What every connection of ours wants of TLS. */
export function tlsOptions({ timeoutMs, ca }: Pick<ConnectOptions, "timeoutMs" | "ca">) {
  return { timeout: timeoutMs, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
}
