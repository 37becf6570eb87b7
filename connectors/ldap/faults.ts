import { types } from "node:util";
import { Fault } from "../contract.ts";
import { TimedOut, type Answer } from "./wire.ts";

/** What was asked when the directory refused, in the words of the settings. */
export interface Asked {
  url: string;
  bindDn?: string | undefined;
  /** `the read of users under ou=people,…` */
  what: string;
  base?: string;
}

const UNKNOWN_AUTHORITY = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
]);

/** What Active Directory says in hexadecimal when it refuses a sign-in (MS-ERREF 2.2). */
const SIGN_IN_REFUSALS = new Map([
  ["525", "there is no such account"],
  ["52e", "the password is wrong"],
  ["530", "the account may not sign in at this time (Logon Hours)"],
  ["531", "the account may not sign in from here (Log On To)"],
  ["532", "the password has expired"],
  ["533", "the account is disabled"],
  ["701", "the account has expired"],
  ["773", "the account must change its password first"],
  ["775", "the account is locked out"],
]);

/** A Fault of what the network or TLS threw; what is one already, and an abort's reason, stay as they are. */
export function faultOfConnection(error: unknown, asked: Asked & { signal: AbortSignal }): unknown {
  if (error instanceof Fault || (asked.signal.aborted && error === asked.signal.reason)) return error;
  const { url, what } = asked;
  const code = codeOf(error);
  const said = types.isNativeError(error) ? error.message : String(error);
  const fault = (kind: Fault["kind"], message: string) => new Fault(kind, message, { cause: error });
  if (error instanceof TimedOut)
    return fault(
      "transient",
      `${url}: ${said} (${what}). Check that the server is reachable and not overloaded; the setting timeouts says how long to wait.`,
    );
  if (UNKNOWN_AUTHORITY.has(code))
    return fault(
      "misconfigured",
      `The certificate of ${url} was signed by an authority that is not known here (${code}). Give the directory's CA certificate in the setting ca or caFile.`,
    );
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return fault(
      "misconfigured",
      `The certificate of ${url} is for another host name (${said.replace(/^Hostname\/IP does not match certificate's altnames: /, "")}). Use a url with a name that the certificate has, or give the server a certificate for this one.`,
    );
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return fault(
      "misconfigured",
      `The certificate of ${url} ${code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet"}. Renew it on the directory's server.`,
    );
  if (code === "ADDRESS_REFUSED") return fault("misconfigured", `${url} is not connected to: ${said}.`);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return fault("transient", `The host name of ${url} can't be resolved (${code}). Check the setting url and the name service.`);
  if (code === "ECONNREFUSED")
    return fault(
      "transient",
      `${url} refused the connection (ECONNREFUSED). Check that the directory runs, and the port in the setting url.`,
    );
  if (["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EHOSTDOWN"].includes(code))
    return fault("transient", `${url} can't be reached (${code}). Check the network and the setting url.`);
  if (code.startsWith("ERR_SSL") || code === "EPROTO")
    return fault(
      "misconfigured",
      `${url} does not speak TLS as asked (${code}). Check whether the port is for ldaps://, or for ldap:// with startTls.`,
    );
  return fault("transient", `The connection to ${url} was lost during ${what}: ${said}.`);
}

/** A Fault of a result that is not success (RFC 4511 appendix A). */
export function faultOfResult(answer: Answer, asked: Asked): Fault {
  const { url, what } = asked;
  const said = answer.message === "" ? "" : ` The server says: ${answer.message}.`;
  const who = asked.bindDn ?? "the anonymous user";
  switch (answer.status) {
    case 3:
      return new Fault("transient", `The directory's time limit ended ${what} before it was complete.${said} Raise the limit for ${who}.`);
    case 4:
      return new Fault(
        "misconfigured",
        `The directory's size limit cut ${what} short, so it is not complete.${said} Let ${who} page without a total limit (OpenLDAP: limits … size.prtotal=unlimited), and keep pageSize within what one page may have.`,
      );
    case 11:
      return new Fault(
        "misconfigured",
        `An administrative limit of the directory cut ${what} short.${said} Lower pageSize, or raise the limit for ${who}.`,
      );
    case 10:
      return new Fault(
        "misconfigured",
        `The directory refers ${what} to another server.${said} Connect to that server, or change the base.`,
      );
    case 12:
      return new Fault(
        "misconfigured",
        `The directory does not support a control that ${what} needs (paged results, RFC 2696).${said} Allow it for ${who}.`,
      );
    case 7:
    case 8:
    case 13:
      return new Fault(
        "misconfigured",
        `${url} wants a stronger or encrypted connection for ${what}.${said} Use ldaps://, or startTls: true.`,
      );
    case 48:
    case 49: {
      const reason = SIGN_IN_REFUSALS.get(/, data ([0-9a-f]{3}),/i.exec(answer.message)?.[1]?.toLowerCase() ?? "");
      return new Fault(
        "denied",
        `${url} refused the sign-in as ${who}: ${reason ?? "the name or the password is wrong, or the account is locked"}.${said} Check bindDn and bindPassword.`,
      );
    }
    case 50:
      return new Fault("denied", `${who} may not do ${what}.${said} Give it the right in the directory's access rules.`);
    case 18:
    case 21:
      return new Fault("misconfigured", `The directory does not understand a value in ${what}.${said} Check the filter and the settings.`);
    case 32: {
      const nearest = answer.matchedDn === "" ? "" : ` The nearest entry there is ${answer.matchedDn}.`;
      return new Fault(
        "misconfigured",
        `There is no entry ${asked.base ?? ""} that ${who} may see, needed for ${what}.${nearest} Check the base in the settings, and the directory's access rules.`,
      );
    }
    case 34:
      return new Fault("misconfigured", `"${asked.base ?? ""}" is not a valid DN, needed for ${what}.${said}`);
    case 51:
    case 52:
      return new Fault("transient", `${url} is ${answer.status === 51 ? "busy" : "unavailable"} and refused ${what}.${said}`);
    case 53:
      return new Fault("misconfigured", `The directory is unwilling to perform ${what}.${said}`);
    default:
      return new Fault("rejected", `The directory refused ${what} with result code ${answer.status}.${said}`);
  }
}

function codeOf(error: unknown): string {
  return types.isNativeError(error) && "code" in error && typeof error.code === "string" ? error.code : "";
}
