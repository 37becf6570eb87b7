import type { Network } from "../../connectors/contract.ts";
import type { ScimInboundSettings } from "../../connectors/scim-inbound/config.ts";
import { scimClientReader } from "../connections/scim-client.ts";
import type { Sql } from "../db/database.ts";
import { CATALOGUE_VERSION } from "../directory/custom-attributes.ts";
import { AppError } from "../errors.ts";
import { claimedBy, clientNameOf, isJsonWebToken, missingClaim, refused, verifyAccessToken } from "./access-tokens.ts";
import { createKeySets } from "./key-sets.ts";
import { authenticateToken, type TokenConnection, type TokenProof } from "./tokens.ts";

/** What a request brings to say whose it is. */
export interface Presented {
  bearer: string | undefined;
  /** SHA-256 of the client certificate that a trusted proxy vouches for, in hexadecimal digits. */
  certificate: string | undefined;
  /** The connection that the URL names; undefined at the common door. */
  connection: string | undefined;
}

/** A SCIM client whose request is let in. */
export interface ScimClient {
  /** By which its requests are counted. */
  key: string;
  /** Under which it acts. */
  name: string;
  connection: TokenConnection;
  settings: ScimInboundSettings;
  personId: string | null;
  catalogueVersion: number;
  /** With which a statement may prove that all this still holds; only where a token of ours is all that is asked for. */
  proof?: TokenProof;
}

/**
 * Says whose request it is, by one statement: a token of ours, an access token of a connection's issuer, or a client
 * certificate. Throws `unauthenticated`; `forbidden` for another door than the client's, or one that is switched off.
 */
export type AuthenticateScimClient = (presented: Presented) => Promise<ScimClient>;

export function scimClientAuthentication({
  sql,
  now,
  network,
}: {
  sql: Sql;
  now: () => Date;
  network?: Network | undefined;
}): AuthenticateScimClient {
  const keys = createKeySets({ now, network });
  const read = scimClientReader();

  return async (presented) => {
    const client = await identified(presented);
    const { connection, settings } = client;
    if (presented.connection !== undefined && presented.connection !== connection.name)
      throw new AppError("forbidden", `This token belongs to another connection than ${presented.connection.slice(0, 63)}.`);
    if (!connection.enabled) throw new AppError("forbidden", `The connection ${connection.name} is switched off.`);
    const { certificates } = settings;
    if (certificates?.use === "with-token" && !certificates.sha256.includes(presented.certificate ?? ""))
      throw new AppError("unauthenticated", `The connection ${connection.name} needs one of its client certificates beside the token.`, {
        field: "certificate",
      });
    return client;
  };

  async function identified(presented: Presented): Promise<ScimClient> {
    const { bearer, certificate } = presented;
    if (bearer !== undefined && isJsonWebToken(bearer)) return await byAccessToken(bearer, presented);
    if (bearer === undefined && certificate !== undefined) return await byCertificate(certificate, presented);
    return await byToken(bearer);
  }

  async function byToken(bearer: string | undefined): Promise<ScimClient> {
    const holder = await authenticateToken(sql, { bearer, now: now() });
    const { id, name, scope, connection, personId, catalogueVersion, proof, oauthClientId } = holder;
    if (scope !== "scim" || !connection)
      throw new AppError("forbidden", "This token is not for the SCIM door: make one with `rollcall token create --scope scim`.");
    const settings = read(connection);
    // A client may fetch as many tokens as it likes, and is one all the same.
    const key = oauthClientId ?? id;
    return { key, name, connection, settings, personId, catalogueVersion, ...(settings.certificates ? {} : { proof }) };
  }

  /** Several connections may have one issuer; the token must fit exactly one of them. */
  async function byAccessToken(bearer: string, { connection }: Presented): Promise<ScimClient> {
    const claimed = claimedBy(bearer);
    const candidates = claimed ? await candidatesBy("issuer", { value: claimed.issuer, connection }) : [];
    // Whose claims it does not have is not asked for keys: one that can't be reached must not keep the others' clients waiting.
    const meant = candidates.filter(
      ({ settings: { oauth } }) => claimed && oauth && missingClaim(claimed.payload, oauth.claims) === undefined,
    );
    let failure: unknown = refused("nobody here knows its issuer");
    const fitting: ScimClient[] = [];
    for (const candidate of meant.length > 0 ? meant : candidates.slice(0, 1)) {
      const { oauth } = candidate.settings;
      if (!oauth) continue;
      try {
        const name = clientNameOf(await verifyAccessToken(bearer, { issuer: oauth, keys, now: now() }));
        fitting.push({ ...candidate, name, key: `${candidate.key} ${name}` });
      } catch (error) {
        failure = error;
      }
    }
    return onlyOne(fitting, failure);
  }

  async function byCertificate(certificate: string, { connection }: Presented): Promise<ScimClient> {
    const candidates = await candidatesBy("certificate", { value: certificate, connection });
    const fitting = candidates.filter(
      ({ settings: { certificates } }) => certificates?.use === "alone" && certificates.sha256.includes(certificate),
    );
    return onlyOne(
      fitting,
      new AppError("unauthenticated", "This client certificate opens no connection by itself: send `Authorization: Bearer <token>`, too.", {
        field: "certificate",
      }),
    );
  }

  async function candidatesBy(
    kind: keyof typeof STATEMENTS,
    { value, connection }: { value: string; connection: string | undefined },
  ): Promise<ScimClient[]> {
    // No text of ours has it, and PostgreSQL takes none that does.
    if (value.includes("\0") || connection?.includes("\0")) return [];
    const { rows } = await sql.query<TokenConnection & { catalogueVersion: number }>({
      name: `scim-client-by-${kind}`,
      text: STATEMENTS[kind],
      values: [value, connection ?? null],
    });
    return rows.map(({ catalogueVersion, ...row }) => ({
      key: `${kind} ${row.id}`,
      name: `${kind}:${row.name}`,
      connection: row,
      settings: read(row),
      personId: null,
      catalogueVersion,
    }));
  }
}

function onlyOne(fitting: readonly ScimClient[], failure: unknown): ScimClient {
  const [first, second] = fitting;
  if (!first) throw failure;
  if (second)
    throw new AppError(
      "forbidden",
      `These credentials fit several connections (${first.connection.name}, ${second.connection.name}): use /scim/<connection>/v2.`,
    );
  return first;
}

const byCondition = (condition: string) =>
  `select c.id, c.name, c.enabled, c.version, c.settings::text as settings, ${CATALOGUE_VERSION} as "catalogueVersion"
   from connections c where c.connector = 'scim-inbound' and ${condition} and ($2::text is null or c.name = $2) order by c.id limit 1000`;

const STATEMENTS = {
  issuer: byCondition("c.settings->'oauth'->>'issuer' = $1::text"),
  // Fingerprints are stored as an administrator wrote them, with colons or capitals.
  certificate: byCondition("replace(lower(c.settings->'certificates'->>'sha256'), ':', '') like '%\"' || $1::text || '\"%'"),
} as const;
