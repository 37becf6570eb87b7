import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  clockSkew,
  clockTolerance,
  Configuration,
  customFetch,
  enableDecryptingResponses,
  PrivateKeyJwt,
  type ClientAuth,
} from "openid-client";
import type { JWTVerifyGetKey } from "jose";
import type { Network } from "../../../connectors/contract.ts";
import { discoveryUrl, readMetadata, type ProviderMetadata } from "../../../connectors/kit/openid-metadata.ts";
import { fetchText } from "../../../connectors/kit/send.ts";
import type { OidcSettings } from "../../../connectors/oidc/config.ts";
import { AppError } from "../../errors.ts";
import { createKeySets } from "../key-sets.ts";
import { CONTENT_ENCRYPTION, decryptionKey, type DecryptionKey } from "./decryption.ts";
import { guardedFetch } from "./guarded-fetch.ts";
import { ownKey, type OwnKey } from "./own-key.ts";

/** A provider that answers: what it says of itself, its keys, and a client of it. */
export interface Provider {
  settings: OidcSettings;
  metadata: ProviderMetadata;
  configuration: Configuration;
  keyOf: JWTVerifyGetKey;
  /** Absent = the connection has none. */
  ownKey: OwnKey | undefined;
  /** Absent = nothing is encrypted for us. */
  decryption: DecryptionKey | undefined;
}

export interface Providers {
  /** Throws `unavailable` when the provider can't be asked and what it said last is too old. */
  of(settings: OidcSettings): Promise<Provider>;
}

const FRESH_MS = 60 * 60_000;
/** What a provider that does not answer said last is used for a day. */
const USABLE_MS = 24 * 3600_000;
const AGAIN_AFTER_MS = 30_000;
const MOST_BYTES = 256 * 1024;
const MOST_PROVIDERS = 200;

interface Kept {
  metadata: ProviderMetadata;
  fetchedAt: number;
}

/** The providers of a door or a job: discovery documents and key sets are fetched when they are needed, and kept. */
export function createProviders({ now, network }: { now: () => Date; network?: Network | undefined }): Providers {
  const kept = new Map<string, Kept>();
  const tried = new Map<string, number>();
  const underWay = new Map<string, Promise<Kept>>();
  const keySets = createKeySets({ now, network });

  return {
    async of(settings) {
      const metadata = await metadataOf(settings);
      const key = settings.privateKey === undefined ? undefined : await ownKey(settings.privateKey);
      const decryption = settings.encryptionKey === undefined ? undefined : await decryptionKey(settings.encryptionKey);
      return {
        settings,
        metadata,
        ownKey: key,
        decryption,
        configuration: configurationOf({ settings, metadata, key, decryption, now: now(), network }),
        keyOf: keySets.keyOf({ issuer: metadata.issuer, jwksUri: metadata.jwks_uri }),
      };
    },
  };

  async function metadataOf(settings: OidcSettings): Promise<ProviderMetadata> {
    const { issuer } = settings;
    const held = kept.get(issuer);
    const age = held ? now().getTime() - held.fetchedAt : Number.POSITIVE_INFINITY;
    if (held && age < FRESH_MS) return held.metadata;
    const mayTry = now().getTime() - (tried.get(issuer) ?? Number.NEGATIVE_INFINITY) >= AGAIN_AFTER_MS;
    if (held && age < USABLE_MS && !mayTry) return held.metadata;
    try {
      return (await fetched(settings)).metadata;
    } catch (cause) {
      if (held && age < USABLE_MS) return held.metadata;
      throw new AppError("unavailable", `The OpenID provider ${issuer} can't be asked what it is; try again.`, { retryAfter: 30, cause });
    }
  }

  function fetched({ issuer, timeoutMs }: OidcSettings): Promise<Kept> {
    const waiting = underWay.get(issuer);
    if (waiting) return waiting;
    if (tried.size >= MOST_PROVIDERS) {
      tried.clear();
      kept.clear();
    }
    tried.set(issuer, now().getTime());
    const fetching = fetchText({ url: discoveryUrl(issuer), network, timeoutMs, maxBytes: MOST_BYTES })
      .then(({ status, text }) => {
        if (status !== 200) throw new Error(`${new URL(issuer).host} answered ${status}`);
        const answer = { metadata: readMetadata(text, issuer), fetchedAt: now().getTime() };
        kept.set(issuer, answer);
        return answer;
      })
      .finally(() => underWay.delete(issuer));
    underWay.set(issuer, fetching);
    return fetching;
  }
}

interface ConfigurationOptions {
  settings: OidcSettings;
  metadata: ProviderMetadata;
  key: OwnKey | undefined;
  decryption: DecryptionKey | undefined;
  now: Date;
  network: Network | undefined;
}

function configurationOf({ settings, metadata, key, decryption, now, network }: ConfigurationOptions): Configuration {
  const configuration = new Configuration(
    metadata,
    settings.clientId,
    // The library reads the system's clock; ours is the flow's.
    { [clockSkew]: Math.round((now.getTime() - Date.now()) / 1000), [clockTolerance]: settings.clockSkewSeconds },
    authentication(settings, key),
  );
  configuration[customFetch] = guardedFetch({ network, timeoutMs: settings.timeoutMs });
  configuration.timeout = settings.timeoutMs / 1000;
  if (decryption) enableDecryptingResponses(configuration, [...CONTENT_ENCRYPTION], ...decryption.keys);
  // Only loopback may be without TLS; the settings' schema says so.
  if (metadata.issuer.startsWith("http:")) allowInsecureRequests(configuration);
  return configuration;
}

function authentication({ clientAuthentication, clientSecret }: OidcSettings, key: OwnKey | undefined): ClientAuth {
  if (clientAuthentication === "private_key_jwt" && key) return PrivateKeyJwt({ key: key.privateKey, kid: key.kid });
  return clientAuthentication === "client_secret_post" ? ClientSecretPost(clientSecret) : ClientSecretBasic(clientSecret);
}
