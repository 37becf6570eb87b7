import { hash } from "node:crypto";
import type { ScimClient } from "./scim-clients.ts";
import type { TokenProof } from "./tokens.ts";

/** A client that was let in a moment ago, and what proves that it still may come in. */
export interface RememberedClient {
  client: ScimClient;
  proof: TokenProof;
}

/**
 * Clients by the SHA-256 of their token. Being remembered lets nobody in: the statement that does the work has to show
 * the proof's stamp (TOKEN_STAMP), or the client is authenticated anew.
 */
export interface RememberedClients {
  find(bearer: string, now: Date): RememberedClient | undefined;
  keep(client: ScimClient): void;
}

const MOST_KEPT = 1000;

export function createRememberedClients(): RememberedClients {
  const kept = new Map<string, RememberedClient>();
  return {
    find(bearer, now) {
      const found = kept.get(hash("sha256", bearer, "base64"));
      return found && found.proof.until > now ? found : undefined;
    },
    keep(client) {
      const { proof } = client;
      if (!proof) return;
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(proof.hash.toString("base64"), { client, proof });
    },
  };
}
