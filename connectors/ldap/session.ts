import { withRetry } from "../kit/retry.ts";
import { Fault, type OpenOptions } from "../contract.ts";
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
}

export interface Session {
  settings: LdapSettings;
  /** A connection for one call; kept for the next, opened again after it was lost. Repeats what failed in passing. */
  call<T>(work: (client: LdapClient) => Promise<T>): Promise<T>;
  /** A connection of its own for one read: a paging cookie belongs to the connection that it came on. */
  dedicated(): Promise<LdapClient>;
  rootDse(): Promise<RootDse>;
  /** The naming context that holds a base; the base itself when the directory names none. */
  suffixOf(base: string): Promise<string>;
  close(): void;
}

export function openSession({ settings, signal, log }: Pick<OpenOptions<LdapSettings>, "settings" | "signal" | "log">): Session {
  const open = new Set<LdapClient>();
  let kept: Promise<LdapClient> | undefined;
  let root: Promise<RootDse> | undefined;
  const onRetry = (fault: Fault, next: { attempt: number; delayMs: number }) =>
    log.warn({ fault: fault.message, ...next }, "ldap: trying again");
  const connect = async () => {
    const client = await openClient({ settings, signal, log });
    const tracked: LdapClient = {
      ...client,
      close: () => {
        open.delete(tracked);
        client.close();
      },
    };
    open.add(tracked);
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
    (root ??= call(readRootDse).catch((error: unknown) => {
      root = undefined;
      throw error;
    }));

  return {
    settings,
    call,
    dedicated: () => withRetry(connect, { signal, onRetry }),
    rootDse,
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

export async function readRootDse(client: LdapClient): Promise<RootDse> {
  const shape = shapeFor(["namingContexts", "supportedControl", "currentTime"], (name) => name !== "currentTime");
  const [entry] =
    (await client.searchIfThere({ base: "", scope: "base", filter: "(objectClass=*)", shape, what: "the reading of the root entry" })) ??
    [];
  const [contexts, controls, time] = entry?.values ?? [];
  return {
    namingContexts: Array.isArray(contexts) ? contexts : [],
    supportedControls: Array.isArray(controls) ? controls : [],
    currentTime: typeof time === "string" ? time : undefined,
  };
}
