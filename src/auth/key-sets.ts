import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import type { Network } from "../../connectors/contract.ts";
import type { IssuerSettings } from "../../connectors/scim-inbound/config.ts";
import { fetchText } from "../../connectors/kit/send.ts";
import { AppError } from "../errors.ts";

/** Whose keys, and where they are; found through the issuer's discovery document when that is absent. */
export type KeyIssuer = Pick<IssuerSettings, "issuer"> & { jwksUri?: string | undefined };

/** The keys of issuers, fetched when they are needed and kept. */
export interface KeySets {
  /** Finds a token's key; a key id that is not known makes the set be fetched again, though not more often than now and then. */
  keyOf(issuer: KeyIssuer): JWTVerifyGetKey;
}

export interface KeySetOptions {
  now: () => Date;
  /** Longest wait for an issuer, in milliseconds; 5000 when absent. */
  timeoutMs?: number;
  /** What may be reached; absent = public addresses only. */
  network?: Network | undefined;
}

type Reach = Pick<KeySetOptions, "network"> & { timeoutMs: number };

const FRESH_MS = 10 * 60_000;
/** Keys of an issuer that does not answer are used for a day: its outage is not ours. */
const USABLE_MS = 24 * 3600_000;
const AGAIN_AFTER_MS = 30_000;
const MOST_BYTES = 256 * 1024;
const MOST_SETS = 100;

/** RFC 7517 section 5: a key that is none is passed over, and takes none of the others along. */
const keySchema = z.looseObject({ kty: z.string() });
const keySetSchema = z.object({
  keys: z
    .array(z.unknown())
    .max(100)
    .transform((keys) => keys.filter((key) => keySchema.safeParse(key).success)),
});
const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

interface Kept {
  find: ReturnType<typeof createLocalJWKSet>;
  fetchedAt: number;
}

export function createKeySets({ now, timeoutMs = 5000, network }: KeySetOptions): KeySets {
  const kept = new Map<string, Kept>();
  const tried = new Map<string, number>();
  const underWay = new Map<string, Promise<Kept>>();

  return {
    keyOf: (issuer) => async (header, token) => {
      const held = await setOf(issuer);
      try {
        return await held.find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || !mayTry(issuer)) throw error;
        return await (await refreshed(issuer)).find(header, token);
      }
    },
  };

  async function setOf(issuer: KeyIssuer): Promise<Kept> {
    const held = kept.get(keyFor(issuer));
    const age = held ? now().getTime() - held.fetchedAt : Number.POSITIVE_INFINITY;
    if (held && age < FRESH_MS) return held;
    if (!mayTry(issuer)) {
      if (held && age < USABLE_MS) return held;
      if (!underWay.has(keyFor(issuer))) throw unreachable(issuer);
    }
    try {
      return await refreshed(issuer);
    } catch (error) {
      if (held && age < USABLE_MS) return held;
      throw error;
    }
  }

  /** Whoever sends made-up key ids must not make us ask the issuer each time. */
  function mayTry(issuer: KeyIssuer): boolean {
    return now().getTime() - (tried.get(keyFor(issuer)) ?? Number.NEGATIVE_INFINITY) >= AGAIN_AFTER_MS;
  }

  /** Several requests that need the same keys wait for one answer. */
  function refreshed(issuer: KeyIssuer): Promise<Kept> {
    const key = keyFor(issuer);
    const waiting = underWay.get(key);
    if (waiting) return waiting;
    if (tried.size >= MOST_SETS) {
      tried.clear();
      kept.clear();
    }
    tried.set(key, now().getTime());
    const fetching = fetchKeys(issuer, { timeoutMs, network })
      .then((keys) => {
        const set = { find: createLocalJWKSet(keys), fetchedAt: now().getTime() };
        kept.set(key, set);
        return set;
      })
      .finally(() => underWay.delete(key));
    underWay.set(key, fetching);
    return fetching;
  }
}

function keyFor({ issuer, jwksUri }: KeyIssuer): string {
  return `${issuer} ${jwksUri ?? ""}`;
}

async function fetchKeys(issuer: KeyIssuer, reach: Reach): Promise<JSONWebKeySet> {
  try {
    const uri = issuer.jwksUri ?? (await discovered(issuer, reach));
    return keySetSchema.parse(await fetchJson(uri, reach)) as JSONWebKeySet;
  } catch (error) {
    throw unreachable(issuer, error);
  }
}

/** OpenID Connect Discovery 1.0 section 4: the document must be the issuer's own. */
async function discovered({ issuer }: KeyIssuer, reach: Reach): Promise<string> {
  const document = discoverySchema.parse(await fetchJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, reach));
  if (document.issuer !== issuer) throw new Error(`the discovery document is of another issuer (${document.issuer.slice(0, 200)})`);
  const { protocol } = new URL(document.jwks_uri);
  if (protocol !== "https:" && issuer.startsWith("https:")) throw new Error("the discovery document names keys without TLS");
  return document.jwks_uri;
}

/** Not redirected, not for long, no more than keys need, and from nowhere that the operator has not opened. */
async function fetchJson(url: string, reach: Reach): Promise<unknown> {
  const { status, text } = await fetchText({ url, maxBytes: MOST_BYTES, ...reach });
  if (status !== 200) throw new Error(`${new URL(url).host} answered ${status}`);
  return JSON.parse(text) as unknown;
}

function unreachable({ issuer }: KeyIssuer, cause?: unknown): AppError {
  return new AppError("unavailable", `The keys of the issuer ${issuer} can't be read; try again.`, {
    retryAfter: AGAIN_AFTER_MS / 1000,
    cause,
  });
}
