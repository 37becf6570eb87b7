import { createPrivateKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { httpSettings } from "../kit/settings.ts";

/** Okta's own words for who manages a group's members. */
const groupType = z.enum(["OKTA_GROUP", "APP_GROUP", "BUILT_IN"]);

export const oktaSettings = z
  .strictObject({
    /** The org's address: https://example.okta.com, or its custom domain. */
    url: z.url({ protocol: /^https?$/, error: "must be the address of the Okta org, such as https://example.okta.com" }),
    /** A service app (API Services), which signs in with its private key. */
    clientId: z.string().min(1).max(256).optional(),
    /** PEM or JWK. */
    privateKey: z.string().min(1).max(20_000).optional(),
    /** The key's id (kid) in the app, where the key itself does not tell it. */
    keyId: z.string().min(1).max(256).optional(),
    /** An API token (SSWS), instead of a service app. */
    apiToken: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[!-~]+$/, "must be the token's value alone, as Security > API > Tokens showed it: without SSWS, spaces and line breaks")
      .optional(),
    ...httpSettings,

    groups: z
      .strictObject({
        /** Everyone (BUILT_IN) has as many members as there are people, and reading them takes as long. */
        types: z.array(groupType).min(1).default(["OKTA_GROUP", "APP_GROUP"]),
      })
      .prefault({}),
    /** By which of Okta's two ways people are asked for; `search` is faster in large orgs, and some minutes behind at times. */
    userQuery: z.enum(["filter", "search"]).default("filter"),
    /** Records a page; Okta gives at most 200. */
    pageSize: z.number().int().min(1).max(200).default(200),
    /** Lists everybody's ids in increments too, a call for 200 people: finds who was deactivated and deleted between two of them. */
    listPeople: z.boolean().default(false),
    /** An incremental read begins this long before the last one, because Okta's listings may be behind. */
    overlapSeconds: z.number().int().min(0).max(86_400).default(300),
    /** Of each of Okta's rate limits, the share that we use at most; the rest stays for others. */
    rateLimitShare: z.number().min(0.01).max(1).default(0.5),
    /** Groups whose members are asked for at the same time, within that share. */
    parallel: z.number().int().min(1).max(16).default(4),
    /** How somebody is disabled. `deactivate` is destructive: people lose their applications, and the data in them. */
    disable: z.enum(["suspend", "deactivate"]).default("suspend"),
    /** The value of the Authorization header that Okta's event hook sends. */
    eventHookSecret: z.string().min(16, { message: "must have at least 16 characters" }).max(1024).optional(),
  })
  .superRefine((settings, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const url = URL.canParse(settings.url) ? new URL(settings.url) : undefined;
    if (url?.protocol === "http:" && !isLoopback(url.hostname)) issue("url", "would send the credential unencrypted: use https://");
    if (url !== undefined && (url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== ""))
      issue("url", "is the org's address alone, without a path");
    if (url !== undefined && /-admin\.(okta|oktapreview|okta-emea)\.com$/i.test(url.hostname))
      issue("url", `is that of the Admin Console; the API is at https://${url.hostname.replace("-admin.", ".")}`);
    const app = settings.clientId !== undefined || settings.privateKey !== undefined;
    if (app && settings.apiToken !== undefined) issue("apiToken", "give either a service app (clientId, privateKey) or an apiToken");
    if (!app && settings.apiToken === undefined) issue("clientId", "give a service app (clientId, privateKey), or an apiToken");
    if (app && (settings.clientId === undefined || settings.privateKey === undefined))
      issue(settings.clientId === undefined ? "clientId" : "privateKey", "clientId and privateKey belong together");
    if (settings.privateKey !== undefined) {
      const read = readPrivateKey(settings.privateKey);
      if ("problem" in read) issue("privateKey", read.problem);
    }
  });

export type OktaSettings = z.output<typeof oktaSettings>;

export interface SigningKey {
  key: KeyObject;
  /** Of JSON Web Signatures (RFC 7518 section 3.1). */
  algorithm: string;
  keyId?: string;
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

/** Reads a private key from PEM or JWK; a sentence where it is none that Okta takes. */
export function readPrivateKey(text: string): SigningKey | { problem: string } {
  try {
    const jwk = text.trimStart().startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : undefined;
    const key = jwk === undefined ? createPrivateKey(text) : createPrivateKey({ key: jwk, format: "jwk" });
    const algorithm = key.asymmetricKeyType === "rsa" ? "RS256" : CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""];
    if (algorithm === undefined) return { problem: "must be an RSA or EC key" };
    return { key, algorithm, ...(typeof jwk?.["kid"] === "string" ? { keyId: jwk["kid"] } : {}) };
  } catch {
    // The parser's own message may quote the key.
    return { problem: "must be a private key in PEM or JWK, without a passphrase" };
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
