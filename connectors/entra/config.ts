import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIPv4 } from "node:net";
import { z } from "zod";
import { httpSettings } from "../kit/settings.ts";

const guid = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, "must be an id such as 1f4b0c7e-…, as the Entra admin centre shows it");
const property = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9_]{0,127}$/, "must be the name of a property of Microsoft Graph")
  .refine((name) => !["id", "members", "manager", "memberOf"].includes(name), "is read anyway, or by a setting of its own");

/** The credential goes there, so it travels encrypted; in plain text to this machine only. */
const address = z.string().superRefine((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const well = url && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!well || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))))
    context.addIssue({ code: "custom", message: "must be an https:// address without user, query and fragment" });
});

export const entraSettings = z
  .strictObject({
    /** "Directory (tenant) ID" of the app registration, or a verified domain of the tenant. */
    tenant: z.union([guid, z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9.-]{1,253}\.[a-zA-Z]{2,63}$/)], {
      error: "must be the Directory (tenant) ID of the app registration's Overview, or one of the tenant's domains",
    }),
    /** "Application (client) ID" of the app registration. */
    clientId: guid,
    /** The value (not the id) of a client secret. */
    clientSecret: z.string().min(1).max(1000).optional(),
    /** PEM of the certificate that was uploaded to the app registration… */
    certificate: z.string().max(20_000).refine(isCertificate, "must be a certificate in PEM").optional(),
    /** …and PEM of its RSA key, unencrypted. */
    privateKey: z.string().max(20_000).refine(isRsaKey, "must be an unencrypted RSA key in PEM").optional(),
    /** Microsoft Graph; national clouds have their own. */
    graphUrl: address.default("https://graph.microsoft.com/v1.0"),
    loginUrl: address.default("https://login.microsoftonline.com"),
    ...httpSettings,

    /** Properties of users to read, beside id. */
    userProperties: z
      .array(property)
      .min(1)
      .max(100)
      .default([
        "userPrincipalName",
        "accountEnabled",
        "userType",
        "displayName",
        "givenName",
        "surname",
        "mail",
        "employeeId",
        "employeeType",
        "jobTitle",
        "companyName",
        "department",
        "officeLocation",
        "businessPhones",
        "mobilePhone",
        "preferredLanguage",
        "usageLocation",
        "onPremisesSyncEnabled",
      ]),
    /** Read who is whose manager. */
    manager: z.boolean().default(true),
    groups: z.boolean().default(true),
    groupProperties: z
      .array(property)
      .min(1)
      .max(100)
      .default(["displayName", "description", "mail", "groupTypes", "securityEnabled", "mailEnabled"]),
    /** What the organisation's units are; absent = none are read. */
    units: z.enum(["administrativeUnits", "department", "companyName", "companyNameAndDepartment"]).optional(),

    /** Objects a page; Microsoft Graph may send fewer. */
    pageSize: z.number().int().min(1).max(999).default(500),
    /** What fails in passing is tried so often, with waits that double; what Microsoft Graph asks for is always waited. */
    retry: z
      .strictObject({
        attempts: z.number().int().min(1).max(20).default(6),
        firstDelayMs: z.number().int().min(1).max(60_000).default(1000),
      })
      .prefault({}),
    /** Who is disabled by write-back is signed out everywhere, too. */
    revokeSessions: z.boolean().default(true),
  })
  .superRefine((settings, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if ((settings.certificate === undefined) !== (settings.privateKey === undefined))
      issue("privateKey", "certificate and privateKey belong together");
    if ((settings.clientSecret === undefined) === (settings.certificate === undefined))
      issue("clientSecret", "give either clientSecret, or certificate and privateKey");
    if (guid.safeParse(settings.clientSecret).success)
      issue("clientSecret", "has the form of a Secret ID: give the secret's Value, which Certificates & secrets shows only once");
  });

export type EntraSettings = z.output<typeof entraSettings>;

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || (isIPv4(host) && host.startsWith("127."));
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    // Whatever is wrong with it, the message is the same.
    return false;
  }
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "rsa";
  } catch {
    // Whatever is wrong with it, the message is the same.
    return false;
  }
}
