import { X509Certificate } from "node:crypto";
import type { CheckResult } from "../../../connectors/contract.ts";
import type { Context } from "../../context.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { messageOf } from "../../errors.ts";
import { clockResult } from "../checked-clock.ts";
import { checkRequest } from "./check-request.ts";
import type { SamlConnection } from "./connection.ts";
import { consoleWords } from "./console-words.ts";
import { ownEndpoints } from "./own-endpoints.ts";
import { ownKeys } from "./own-keys.ts";
import { readProviderMetadata, type IdentityProvider } from "./provider-metadata.ts";
import { fetchMetadata } from "./providers.ts";

export interface CheckSamlOptions {
  db: Database;
  keyRing: KeyRing;
  baseUrl: string;
  connection: SamlConnection;
}

const DAY_MS = 86_400_000;
/** A certificate that ends sooner is pointed out. */
const SOON_DAYS = 30;

/** Whether the identity provider's metadata can be read, hold for now, and whether it knows us. Signs nobody in and stores nothing. */
export async function checkSaml(ctx: Context, { db, keyRing, baseUrl, connection }: CheckSamlOptions): Promise<CheckResult[]> {
  const { settings } = connection;
  const now = ctx.now();
  let provider: IdentityProvider;
  let clock: CheckResult[] = [];
  try {
    const { text, date } =
      settings.metadata === undefined ? await fetchMetadata(ctx, connection) : { text: settings.metadata, date: undefined };
    clock = clockResult({ said: date, now, clockSkewSeconds: settings.clockSkewSeconds });
    provider = readProviderMetadata(text, { settings, now });
  } catch (error) {
    const what = settings.metadataUrl ?? "the metadata in the settings";
    const todo = "Compare metadataUrl (Entra ID: App Federation Metadata Url; Okta: Metadata URL), or paste the metadata anew.";
    return [...clock, { name: "Metadata", ok: false, message: `${what}: ${messageOf(error)} ${todo}` }];
  }
  const endpoints = ownEndpoints(connection, baseUrl);
  const [key] = await ownKeys(db.pool, { connection, keyRing });
  return [
    { name: "Metadata", ok: true, message: `of ${provider.entityId}${untilText(provider, now)}` },
    metadataSignature(connection),
    certificatesResult(provider, now),
    ...clock,
    {
      name: "Single logout",
      ok: true,
      message: provider.sloUrl === undefined ? "it has none: sessions there and here end by themselves" : `by ${provider.sloBinding}`,
    },
    ownAddress(provider, baseUrl),
    await checkRequest(ctx, { settings, provider, endpoints, key }),
  ];
}

function untilText({ validUntil }: IdentityProvider, now: Date): string {
  if (validUntil === undefined) return "";
  const days = Math.floor((new Date(validUntil).getTime() - now.getTime()) / DAY_MS);
  return `; to be used until ${validUntil}, which is in ${days} days`;
}

function metadataSignature({ settings }: SamlConnection): CheckResult {
  const pinned = settings.metadataCertificate !== undefined;
  const message = pinned ? "signed with the certificate in metadataCertificate" : "not asked for (metadataCertificate)";
  return { name: "Metadata signature", ok: true, message };
}

/** Certificates only carry keys, and one that has ended is believed all the same; who looks after it wants to know. */
function certificatesResult({ entityId, certificates }: IdentityProvider, now: Date): CheckResult {
  const found = certificates.map((pem) => new X509Certificate(pem));
  const shown = found.map((each) => `${kindOf(each)} from ${dayOf(each.validFrom)} until ${dayOf(each.validTo)}`).join("; ");
  const begun = found.filter(({ validFrom }) => new Date(validFrom) <= now);
  const lasts = Math.max(...begun.map(({ validTo }) => new Date(validTo).getTime()));
  const days = Math.floor((lasts - now.getTime()) / DAY_MS);
  const { certificates: place, metadata } = consoleWords(entityId);
  const todo = ` Make a new one there (${place}) and let us read ${metadata} before it signs.`;
  if (days < 0) return { name: "Certificates", ok: false, message: `${shown}: none of them is valid now.${todo}` };
  return { name: "Certificates", ok: true, message: days < SOON_DAYS ? `${shown}: in ${days} days there is none any more.${todo}` : shown };
}

function kindOf({ publicKey: { asymmetricKeyType, asymmetricKeyDetails } }: X509Certificate): string {
  return asymmetricKeyType === "rsa" ? `RSA ${asymmetricKeyDetails?.modulusLength ?? ""}` : `EC ${asymmetricKeyDetails?.namedCurve ?? ""}`;
}

function dayOf(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}

/** Browsers come back to where we say that we are. */
function ownAddress({ ssoUrl }: IdentityProvider, baseUrl: string): CheckResult {
  const local = (url: string) => new URL(url).protocol === "http:";
  if (!local(baseUrl) || local(ssoUrl)) return { name: "Our address", ok: true, message: baseUrl };
  return { name: "Our address", ok: false, message: `${baseUrl} is no https address that others could reach: set http.publicUrl` };
}
