import { Fault, type FaultKind } from "../contract.ts";
import type { EntraSettings } from "./config.ts";
import { isObject } from "./json.ts";

const APP = "Entra admin centre > Identity > Applications > App registrations";

/** What the codes of the sign-in service mean, in the words of the console; the service's own text is not repeated. */
const MEANINGS: Readonly<Record<string, { kind: FaultKind; says: (settings: EntraSettings) => string }>> = {
  AADSTS7000215: {
    kind: "denied",
    says: () =>
      `The client secret is wrong. Take the "Value" of a secret, not its "Secret ID": ${APP} > your app > Certificates & secrets.`,
  },
  AADSTS7000222: {
    kind: "denied",
    says: () => `The client secret has expired. Make a new one: ${APP} > your app > Certificates & secrets > New client secret.`,
  },
  AADSTS700016: {
    kind: "misconfigured",
    says: ({ clientId, tenant }) =>
      `The tenant ${tenant} has no application ${clientId}. Take "Application (client) ID" and "Directory (tenant) ID" from the same page: ${APP} > your app > Overview.`,
  },
  AADSTS90002: {
    kind: "misconfigured",
    says: ({ tenant }) => `There is no tenant ${tenant}. Take "Directory (tenant) ID": ${APP} > your app > Overview.`,
  },
  AADSTS700027: {
    kind: "denied",
    says: () =>
      `The certificate is not one of the application's, or privateKey is not its key. Upload it: ${APP} > your app > Certificates & secrets > Certificates.`,
  },
  AADSTS700024: {
    kind: "misconfigured",
    says: () => "The sign-in service takes the assertion for expired or not yet valid: check this machine's clock.",
  },
  AADSTS7000112: {
    kind: "denied",
    says: () =>
      'The application is disabled: Entra admin centre > Enterprise applications > your app > Properties > "Enabled for users to sign in?".',
  },
  AADSTS53003: {
    kind: "denied",
    says: () => "A Conditional Access policy blocks the sign-in: Entra admin centre > Protection > Conditional Access > Sign-in logs.",
  },
};

/** A Fault of a refused token request (RFC 6749 section 5.2). Only codes are taken from the answer: its text may hold anything. */
export function faultOfSignIn(body: unknown, settings: EntraSettings): Fault {
  const fields = isObject(body) ? body : {};
  const [code] = /AADSTS\d{4,8}/.exec(String(fields["error_description"] ?? "")) ?? [];
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (code !== undefined && meaning) return new Fault(meaning.kind, `${meaning.says(settings)} (${code})`);
  const error = typeof fields["error"] === "string" && /^[a-z_]{1,40}$/.test(fields["error"]) ? fields["error"] : "no reason";
  if (error === "temporarily_unavailable" || error === "server_error")
    return new Fault("transient", `The sign-in service can't answer now (${code ?? error}).`);
  return new Fault(
    "denied",
    `The sign-in as application ${settings.clientId} in the tenant ${settings.tenant} was refused (${code ?? error}). Look the code up at https://login.microsoftonline.com/error, and check ${APP} > your app.`,
  );
}
