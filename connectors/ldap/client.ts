import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import {
  Attribute,
  BindRequest,
  Change,
  ExtendedRequest,
  FilterParser,
  ModifyRequest,
  PagedResultsControl,
  SearchRequest,
  type Control,
  type Filter,
} from "ldapts";
import { Fault, type Network } from "../contract.ts";
import { guardedLookup, refuseLiteral } from "../kit/guard.ts";
import { parseUrl, type LdapSettings } from "./config.ts";
import { decodeEntry, type Entry, type Shape } from "./entry.ts";
import { faultOfConnection, faultOfResult, type Asked } from "./faults.ts";
import { openWire, type Answer, type Request, type Wire } from "./wire.ts";

export interface SearchOptions {
  base: string;
  scope: "base" | "one" | "sub";
  filter: string | Filter;
  shape: Shape;
  /** What is done, for the sentence of a fault: `the read of users`. */
  what: string;
  /** Sent with the request; those that the result carries, too, are handed the answer. */
  controls?: readonly Control[];
}

export interface PageOptions extends SearchOptions {
  pageSize: number;
  /** From the page before. */
  cookie?: Buffer | undefined;
}

export interface EntriesPage {
  entries: Entry[];
  references: readonly string[];
  /** Undefined when the server answered without a paging control; empty when there is no more. */
  cookie?: Buffer;
}

/** A bound connection to one directory. Everything it throws is a Fault, or the signal's reason. */
export interface LdapClient {
  page(options: PageOptions): Promise<EntriesPage>;
  /** One unpaged search for few entries; throws when the server cuts it short. */
  search(options: SearchOptions): Promise<Entry[]>;
  /** The same; undefined when there is no such base. */
  searchIfThere(options: SearchOptions): Promise<Entry[] | undefined>;
  /** A search whose messages are handed over as they are, for controls on entries. */
  searchRaw(options: SearchOptions & { controls: Control[]; onMessage: (message: Buffer) => void }): Promise<void>;
  /** The result code, when it is one of `expected`; any other is thrown. 0 is always expected. */
  modify(options: { dn: string; changes: readonly ModifyChange[]; what: string; expected?: readonly number[] }): Promise<number>;
  close(): void;
}

export interface ModifyChange {
  operation: "add" | "delete" | "replace";
  attribute: string;
  values: readonly string[];
}

/**
 * Directories stand in private networks, or beside us, so that these are open to LDAP without being named; what no directory
 * stands in (link-local with its metadata services, multicast, the reserved rest) is open only as the operator says.
 */
const WHERE_DIRECTORIES_STAND = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "fc00::/7",
  "::1/128",
] as const;

/** Connects, puts TLS on and binds, as the settings say. */
export async function openClient({
  settings,
  signal,
  log,
  network,
}: {
  settings: LdapSettings;
  signal: AbortSignal;
  log: Logger;
  network?: Network | undefined;
}): Promise<LdapClient> {
  const address = parseUrl(settings.url);
  if (address === undefined) throw new Fault("misconfigured", `${settings.url} is not the URL of an LDAP server`);
  const asked = { url: settings.url, bindDn: settings.bindDn, signal };
  const ca = await authority(settings);
  const tls = ca === undefined ? {} : { ca };
  const timeoutMs = settings.timeouts.answerSeconds * 1000;

  const open = { allow: [...WHERE_DIRECTORIES_STAND, ...(network?.allow ?? [])] };
  const connect = async () => {
    refuseLiteral(address.host, open);
    return openWire({
      ...address,
      ...(address.secure ? { tls } : { tls: undefined }),
      lookup: guardedLookup(open),
      connectTimeoutMs: settings.timeouts.connectSeconds * 1000,
      signal,
    });
  };
  const wire = await connect().catch((error: unknown) => {
    throw faultOfConnection(error, { ...asked, what: "connecting" });
  });
  const ask = (request: Request, options: { what: string; base?: string }) =>
    wire.request(request).catch((error: unknown) => {
      throw faultOfConnection(error, { ...asked, ...options });
    });
  const demand = async (request: Request, options: { what: string; base?: string; expected?: readonly number[] }): Promise<Answer> => {
    const answer = await ask(request, options);
    if (answer.status !== 0 && !options.expected?.includes(answer.status)) throw faultOfResult(answer, { ...asked, ...options });
    return answer;
  };

  try {
    if (settings.startTls) await startTls({ wire, demand, tls, timeoutMs, asked });
    if (settings.bindDn !== undefined) {
      const { bindDn, bindPassword } = settings;
      await demand(
        { encode: (messageId) => new BindRequest({ messageId, dn: bindDn, password: bindPassword ?? "" }).write(), timeoutMs },
        { what: "the sign-in", base: bindDn },
      );
    }
  } catch (error) {
    wire.close();
    throw error;
  }
  log.debug({ url: settings.url, bindDn: settings.bindDn }, "ldap: connected");

  const searchRequest = (options: SearchOptions, controls: Control[]) => (messageId: number) =>
    new SearchRequest({
      messageId,
      baseDN: options.base,
      scope: options.scope,
      filter: typeof options.filter === "string" ? FilterParser.parseString(options.filter) : options.filter,
      attributes: options.shape.asks.length === 0 ? ["1.1"] : [...options.shape.asks],
      // Entries are decoded by what we asked for; a server-side limit would turn an incomplete read into a short one.
      sizeLimit: 0,
      timeLimit: Math.ceil(timeoutMs / 1000),
      controls,
    }).write();
  const searchInto = async (
    options: SearchOptions,
    controls: Control[],
    expected: readonly number[] = [],
  ): Promise<{ entries: Entry[]; answer: Answer }> => {
    const entries: Entry[] = [];
    const onEntry = (message: Buffer, start: number) => void entries.push(decodeEntry(message, start, options.shape));
    const sent = [...(options.controls ?? []), ...controls];
    const answer = await demand({ encode: searchRequest(options, sent), controls: sent, onEntry, timeoutMs }, { ...options, expected });
    return { entries, answer };
  };

  return {
    page: async (options) => {
      const value = { size: options.pageSize, ...(options.cookie === undefined ? {} : { cookie: options.cookie }) };
      const { entries, answer } = await searchInto(options, [new PagedResultsControl({ critical: true, value })]);
      return { entries, references: answer.references, ...(answer.cookie === undefined ? {} : { cookie: answer.cookie }) };
    },
    search: async (options) => (await searchInto(options, [])).entries,
    searchIfThere: async (options) => {
      const { entries, answer } = await searchInto(options, [], [NO_SUCH_OBJECT]);
      return answer.status === NO_SUCH_OBJECT ? undefined : entries;
    },
    searchRaw: async (options) => {
      await demand(
        { encode: searchRequest(options, options.controls), onEntry: (message) => options.onMessage(message), timeoutMs },
        options,
      );
    },
    modify: async (options) => {
      const changes = options.changes.map(
        ({ operation, attribute, values }) =>
          new Change({ operation, modification: new Attribute({ type: attribute, values: [...values] }) }),
      );
      const encode = (messageId: number) => new ModifyRequest({ messageId, dn: options.dn, changes }).write();
      return (await demand({ encode, timeoutMs }, { ...options, base: options.dn })).status;
    },
    close: () => wire.close(),
  };
}

const NO_SUCH_OBJECT = 32;
const START_TLS = "1.3.6.1.4.1.1466.20037";

async function startTls(options: {
  wire: Wire;
  demand: (request: Request, options: { what: string }) => Promise<Answer>;
  tls: { ca?: string };
  timeoutMs: number;
  asked: Omit<Asked, "what"> & { signal: AbortSignal };
}): Promise<void> {
  const { wire, demand, tls, timeoutMs, asked } = options;
  await demand({ encode: (messageId) => new ExtendedRequest({ messageId, oid: START_TLS }).write(), timeoutMs }, { what: "StartTLS" });
  await wire.upgrade(tls).catch((error: unknown) => {
    throw faultOfConnection(error, { ...asked, what: "StartTLS" });
  });
}

async function authority(settings: LdapSettings): Promise<string | undefined> {
  if (settings.caFile === undefined) return settings.ca;
  const { caFile } = settings;
  const text = await readFile(caFile, "utf8").catch((error: unknown) => {
    throw new Fault(
      "misconfigured",
      `The file ${caFile} in the setting caFile can't be read. Give the path of the directory's CA certificate in PEM.`,
      { cause: error },
    );
  });
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new Fault("misconfigured", `The file ${caFile} in the setting caFile holds no certificate in PEM.`);
  return text;
}
