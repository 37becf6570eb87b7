import { withRetry } from "../kit/retry.ts";
import { Fault, type OpenOptions } from "../contract.ts";
import { forActiveDirectory } from "./active-directory/defaults.ts";
import { openClient, type LdapClient } from "./client.ts";
import type { LdapSettings } from "./config.ts";
import { isWithin, normaliseDn } from "./dn.ts";
import { shapeFor } from "./entry.ts";

/** What the directory says of itself (RFC 4512 section 5.1). */
export interface RootDse {
  namingContexts: readonly string[];
  supportedControls: readonly string[];
  /** Active Directory and Samba tell the time. */
  currentTime?: string | undefined;
  /** What only a domain controller says of itself (MS-ADTS 3.1.1.3.2). */
  domainController?: DomainController;
}

export interface DomainController {
  /** The name of its own entry in the configuration (dsServiceName): another one's is another. */
  service: string;
  hostName: string;
  /** The last update sequence number that it gave out, in decimal digits. */
  highestCommittedUsn: string;
}

export interface Session {
  settings: LdapSettings;
  /** A connection for one call; kept for the next, opened again after it was lost. Repeats what failed in passing. */
  call<T>(work: (client: LdapClient) => Promise<T>): Promise<T>;
  /** A connection of its own for one read: a paging cookie belongs to the connection that it came on. */
  dedicated(): Promise<LdapClient>;
  rootDse(): Promise<RootDse>;
  /** The same, asked again: for what changes. */
  freshRootDse(): Promise<RootDse>;
  /** The naming context that holds a base; the base itself when the directory names none. */
  suffixOf(base: string): Promise<string>;
  close(): void;
}

/**
 * A session whose settings are those of the directory that answers. Throws what a first call meets: a wrong password or an
 * unknown authority is told now, not in the middle of a run.
 */
export async function openDirectorySession(options: Pick<OpenOptions<LdapSettings>, "settings" | "signal" | "log">): Promise<Session> {
  const session = openSession(options);
  try {
    const { domainController } = await session.rootDse();
    const { flavour } = options.settings;
    const isActiveDirectory = flavour === "activeDirectory" || (flavour === "auto" && domainController !== undefined);
    return isActiveDirectory ? { ...session, settings: forActiveDirectory(options.settings) } : session;
  } catch (error) {
    session.close();
    throw error;
  }
}

export function openSession({
  settings,
  signal,
  log,
  network,
}: Pick<OpenOptions<LdapSettings>, "settings" | "signal" | "log" | "network">): Session {
  const open = new Set<LdapClient>();
  let kept: Promise<LdapClient> | undefined;
  let root: Promise<RootDse> | undefined;
  /** Which domain controller answered first. */
  let service: string | undefined;
  const onRetry = (fault: Fault, next: { attempt: number; delayMs: number }) =>
    log.warn({ fault: fault.message, ...next }, "ldap: trying again");
  const connect = async () => {
    const client = await openClient({ settings, signal, log, network });
    const tracked: LdapClient = {
      ...client,
      close: () => {
        open.delete(tracked);
        client.close();
      },
    };
    open.add(tracked);
    if (service !== undefined) {
      try {
        await refuseOther(tracked, service);
      } catch (error) {
        tracked.close();
        throw error;
      }
    }
    return tracked;
  };

  const call: Session["call"] = (work) =>
    withRetry(
      async () => {
        const connecting = (kept ??= connect());
        try {
          return await work(await connecting);
        } catch (error) {
          // Only what the directory answered leaves the connection as it was.
          if (!(error instanceof Fault) || error.kind === "transient") {
            if (kept === connecting) kept = undefined;
            await connecting.then(
              (client) => client.close(),
              () => undefined,
            );
          } else if (kept === connecting) await connecting.catch(() => (kept = undefined));
          throw error;
        }
      },
      { signal, onRetry },
    );
  const rootDse = () =>
    (root ??= call(readRootDse).then(
      (found) => {
        service = found.domainController?.service;
        return found;
      },
      (error: unknown) => {
        root = undefined;
        throw error;
      },
    ));

  return {
    settings,
    call,
    dedicated: () => withRetry(connect, { signal, onRetry }),
    rootDse,
    freshRootDse: () => call(readRootDse),
    suffixOf: async (base) => {
      const wanted = normaliseDn(base);
      const { namingContexts } = await rootDse();
      const holding = namingContexts.filter((context) => isWithin(wanted, normaliseDn(context)));
      return holding.sort((a, b) => b.length - a.length)[0] ?? base;
    },
    close: () => {
      for (const client of open) client.close();
    },
  };
}

/** Update sequence numbers are one domain controller's own: a read spread over two of them proves nothing. */
async function refuseOther(client: LdapClient, service: string): Promise<void> {
  const { domainController } = await readRootDse(client);
  if (domainController?.service === service) return;
  throw new Fault(
    "transient",
    `Another domain controller answered (${domainController?.hostName ?? "unnamed"}) than the one that this run began with. Name one domain controller in the setting url, not the domain.`,
  );
}

/** LDAP_CAP_ACTIVE_DIRECTORY_OID (MS-ADTS 3.1.1.3.4.3.1). */
const ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800";
const LISTS = ["namingContexts", "supportedControl", "supportedCapabilities"];
const SINGLE = ["currentTime", "dsServiceName", "dnsHostName", "highestCommittedUSN"];

export async function readRootDse(client: LdapClient): Promise<RootDse> {
  const shape = shapeFor([...LISTS, ...SINGLE], (name) => LISTS.includes(name));
  const [entry] =
    (await client.searchIfThere({ base: "", scope: "base", filter: "(objectClass=*)", shape, what: "the reading of the root entry" })) ??
    [];
  const values = entry?.values ?? [];
  const [contexts, controls, capabilities] = values.map((value) => (Array.isArray(value) ? value : []));
  const [currentTime, service, hostName, highestCommittedUsn] = values
    .slice(LISTS.length)
    .map((value) => (typeof value === "string" ? value : undefined));
  const isDomainController = capabilities?.includes(ACTIVE_DIRECTORY) === true && service !== undefined;
  return {
    namingContexts: contexts ?? [],
    supportedControls: controls ?? [],
    currentTime,
    ...(isDomainController && highestCommittedUsn !== undefined
      ? { domainController: { service, hostName: hostName ?? service, highestCommittedUsn } }
      : {}),
  };
}
