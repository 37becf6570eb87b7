import type { CheckResult } from "../../../connectors/contract.ts";
import { fetchText } from "../../../connectors/kit/send.ts";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import type { Context } from "../../context.ts";
import { messageOf } from "../../errors.ts";
import { consoleWords, type ConsoleWords } from "./console-words.ts";
import { authnRequestTo } from "./outgoing.ts";
import type { OwnEndpoints } from "./own-endpoints.ts";
import type { OwnKey } from "./own-keys.ts";
import type { IdentityProvider } from "./provider-metadata.ts";
import { newMessageId } from "./requests.ts";
import { resolveReferences } from "./xml/references.ts";

export interface CheckRequestOptions {
  settings: SamlSettings;
  provider: IdentityProvider;
  endpoints: OwnEndpoints;
  /** Absent = none was made yet. */
  key: OwnKey | undefined;
}

interface Answer {
  status: number;
  text: string;
}

const MOST_BYTES = 1024 * 1024;
const NAME = "Sign-in request";
/** Answers of a console that nobody has told of us (Microsoft Entra authentication error codes). */
const ENTRA_CODES: Readonly<Record<string, keyof Pick<ConsoleWords, "entityId" | "acsUrl">>> = {
  AADSTS700016: "entityId",
  AADSTS650056: "entityId",
  AADSTS50011: "acsUrl",
  AADSTS750054: "acsUrl",
};

/** What others write onto a page that is called good: SimpleSAMLphp, Shibboleth, AD FS. */
const NOT_KNOWN = /Metadata not found|Unsupported Request|MSIS\d{4}/;

/**
 * Sends a request that asks nobody for anything (IsPassive, saml-core-2.0 section 3.4.1), as a browser without cookies would: an
 * identity provider that knows us answers to our address that nobody is signed in. Nothing is kept that an answer could belong to.
 */
export async function checkRequest(ctx: Context, { settings, provider, endpoints, key }: CheckRequestOptions): Promise<CheckResult> {
  const signed = settings.signRequests || provider.wantsSignedRequests;
  if (!key && signed)
    return { name: NAME, ok: true, message: `not tried: our key is made when ${endpoints.metadataUrl} is read for the first time` };
  try {
    const options = { settings, provider, endpoints, key: key ?? { privateKey: "", certificate: "" }, now: ctx.now() };
    const { url, fields } = await authnRequestTo(options, { id: newMessageId(), passive: true });
    const { status, text } = await fetchText({
      url,
      network: ctx.network,
      timeoutMs: settings.timeoutMs,
      maxBytes: MOST_BYTES,
      ...(fields === undefined ? {} : { method: "POST" as const, body: new URLSearchParams(fields).toString() }),
      headers: { accept: "text/html", ...(fields === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }) },
    });
    return judged({ status, text }, { endpoints, words: consoleWords(provider.entityId) });
  } catch (error) {
    return { name: NAME, ok: false, message: `${provider.ssoUrl}: ${messageOf(error)}` };
  }
}

/** What an answer to such a request says of us. Pure. */
export function judged({ status, text }: Answer, { endpoints, words }: { endpoints: OwnEndpoints; words: ConsoleWords }): CheckResult {
  const { entityId, acsUrl } = endpoints;
  const ours = { entityId, acsUrl };
  const [code] = /AADSTS\d{5,7}/.exec(text) ?? [];
  const wrong = code === undefined ? undefined : ENTRA_CODES[code];
  if (wrong !== undefined) return { name: NAME, ok: false, message: `it answers ${code}: ${words[wrong]} must be ${ours[wrong]}` };
  const said = statusIn(text);
  if (said === "NoPassive" && references(text).includes(acsUrl))
    return { name: NAME, ok: true, message: `it knows us: its answer goes to ${acsUrl}` };
  if (said !== undefined && said !== "NoPassive")
    return { name: NAME, ok: false, message: `it answers ${said}: compare the algorithms and the name's format that it wants of us` };
  if (status >= 400 || code !== undefined || NOT_KNOWN.test(text))
    return {
      name: NAME,
      ok: false,
      message: `it refuses us (${code ?? NOT_KNOWN.exec(text)?.[0] ?? status}): ${words.entityId} must be ${entityId}, ${words.acsUrl} ${acsUrl}, and our certificate there that of our metadata`,
    };
  return { name: NAME, ok: true, message: "it answers; whether it knows our addresses is told by a first sign-in alone" };
}

/** The last part of the innermost status of a response in a page that posts itself. */
function statusIn(page: string): string | undefined {
  const field = /<input[^>]*name="SAMLResponse"[^>]*>/i.exec(page)?.[0];
  const encoded = field === undefined ? undefined : /value="([^"]+)"/i.exec(field)?.[1];
  if (encoded === undefined) return undefined;
  const xml = Buffer.from(references(encoded), "base64").toString("utf8");
  const codes = [...xml.matchAll(/StatusCode[^>]*Value="urn:oasis:names:tc:SAML:2\.0:status:(\w{1,40})"/g)];
  return codes.at(-1)?.[1];
}

function references(html: string): string {
  return html.replaceAll(/&[#a-z0-9]{2,8};/gi, (reference) => resolveReferences(reference) ?? reference);
}
