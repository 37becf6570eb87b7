import { Agent, Pool, ProxyAgent, type Dispatcher } from "undici";
import type { Network } from "../contract.ts";
import { guardedConnector, refuseLiteral, tlsOptions } from "./guard.ts";
import type { ProxySettings } from "./settings.ts";

export interface DispatcherOptions {
  /** Whom it is for: decides whether the operator's proxy stands between. */
  url: URL;
  /** Absent = public addresses only, without a proxy. */
  network?: Network | undefined;
  /** The connection's own proxy, instead of the operator's. */
  proxy?: ProxySettings | undefined;
  ca?: string | undefined;
  timeoutMs: number;
}

/**
 * The pool of connections to one host. It connects to no address that the operator has not opened; behind a proxy only the host's
 * own spelling can be judged, and which names lead where is the proxy's to decide. Throws AddressRefused.
 */
export function openDispatcher({ url, network = { allow: [] }, proxy, ca, timeoutMs }: DispatcherOptions): Dispatcher {
  const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const through = proxy ?? operatorsProxy(url, network);
  if (through === undefined) return new Agent({ ...limits, connect: guardedConnector({ network, timeoutMs, ca }) });
  refuseLiteral(url.hostname, network);
  const given = new URL(through.url);
  const user = through.user ?? decodeURIComponent(given.username);
  const password = through.password ?? decodeURIComponent(given.password);
  return new ProxyAgent({
    ...limits,
    uri: given.origin,
    ...(user === "" ? {} : { token: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` }),
    requestTls: tlsOptions({ timeoutMs, ca }),
    proxyTls: tlsOptions({ timeoutMs }),
    // The operator's own proxy may be anywhere; one that a connection names is a host like others.
    ...(proxy === undefined
      ? {}
      : { clientFactory: (origin, options) => new Pool(origin, { ...options, connect: guardedConnector({ network, timeoutMs }) }) }),
  });
}

/** The operator's proxy, unless the host is one of those that are spoken to directly: a name and all below it, an address, or `*`. */
export function operatorsProxy({ hostname }: URL, { proxy, direct = [] }: Network): ProxySettings | undefined {
  if (proxy === undefined) return undefined;
  const host = hostname.toLowerCase();
  const exempt = direct.some((each) => {
    const name = each.toLowerCase().replace(/^\*?\./, "");
    return name === "*" || host === name || host.endsWith(`.${name}`);
  });
  return exempt ? undefined : { url: proxy };
}
