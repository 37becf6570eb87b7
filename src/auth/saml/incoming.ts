import { createPublicKey, verify } from "node:crypto";
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import { decodedMessage, textOf } from "./message-text.ts";
import { refused } from "./refusal.ts";
import { checkIds, checkSignatures } from "./response-shape.ts";
import { signedBytes } from "./signature.ts";
import { SIGNATURE_METHODS, type SignatureMethod } from "./signature-methods.ts";
import { within, type XmlElement } from "./xml/element.ts";
import { MESSAGE_LIMITS, readXml } from "./xml/read.ts";

/** A message whose sender is proven. */
export interface IncomingMessage {
  kind: "request" | "response";
  root: XmlElement;
  /** What the root was read from. */
  text: string;
  /** As it came; goes back with the answer, and is used for nothing else. */
  relayState: string;
}

/** saml-bindings-2.0 section 3.4.3 allows 80 bytes; some senders are not so strict. */
const LONGEST_RELAY_STATE = 1024;

/**
 * A message that came by the HTTP-Redirect binding (saml-bindings-2.0 section 3.4.4): the query string exactly as it came, since
 * that is what is signed. Throws `unauthenticated`.
 */
export async function fromRedirect(query: string, { certificates }: { certificates: readonly string[] }): Promise<IncomingMessage> {
  const raw = rawParameters(query);
  const kind = raw.has("SAMLRequest") ? "request" : "response";
  const name = kind === "request" ? "SAMLRequest" : "SAMLResponse";
  const [message, algorithm, signature] = [raw.get(name), raw.get("SigAlg"), raw.get("Signature")];
  if (message === undefined || (raw.has("SAMLRequest") && raw.has("SAMLResponse")))
    throw refused("shape", "The query holds no SAML message, or two.");
  if (algorithm === undefined || signature === undefined) throw refused("signature", "The message is not signed.");
  const method = SIGNATURE_METHODS.get(decoded(algorithm));
  if (method === undefined)
    throw refused("algorithm", `The message is signed with ${decoded(algorithm).slice(0, 100)}, which is not accepted.`);
  const relay = raw.get("RelayState");
  const covered = Buffer.from(
    [`${name}=${message}`, ...(relay === undefined ? [] : [`RelayState=${relay}`]), `SigAlg=${algorithm}`].join("&"),
  );
  const bytes = Buffer.from(decoded(signature), "base64");
  if (!certificates.some((certificate) => holds(covered, { method, certificate, bytes })))
    throw refused("signature", "The signature does not hold with any of the certificates that are known of the sender.");
  const text = textOf(await inflated(Buffer.from(decoded(message), "base64")));
  return {
    kind,
    root: readXml(text, { limits: MESSAGE_LIMITS }),
    text,
    relayState: relayStateOf(relay === undefined ? "" : decoded(relay.replaceAll("+", " "))),
  };
}

/** A message that came by the HTTP-POST binding, signed inside. Throws `unauthenticated`. */
export function fromPost(
  {
    samlRequest,
    samlResponse,
    relayState = "",
  }: { samlRequest?: string | undefined; samlResponse?: string | undefined; relayState?: string | undefined },
  { certificates }: { certificates: readonly string[] },
): IncomingMessage {
  const encoded = samlRequest ?? samlResponse;
  if (encoded === undefined || (samlRequest !== undefined && samlResponse !== undefined))
    throw refused("shape", "The form holds no SAML message, or two.");
  const text = decodedMessage(encoded);
  const outer = readXml(text, { limits: MESSAGE_LIMITS });
  checkIds([...within(outer)]);
  checkSignatures(outer, { at: [outer] });
  const bytes = signedBytes(outer, { text, certificates });
  const root = readXml(bytes, { limits: MESSAGE_LIMITS });
  return { kind: samlRequest === undefined ? "response" : "request", root, text: bytes, relayState: relayStateOf(relayState) };
}

/** Of elliptic curves SAML wants r and s side by side; libraries of identity providers that sign queries write them as X.509 does. */
function holds(covered: Buffer, { method, certificate, bytes }: { method: SignatureMethod; certificate: string; bytes: Buffer }): boolean {
  const key = createPublicKey(certificate);
  if (key.asymmetricKeyType !== method.keyType) return false;
  return (["ieee-p1363", "der"] as const).some((dsaEncoding) => verify(method.hash, covered, { key, dsaEncoding }, bytes));
}

/** Values as they stand in the query; of a parameter that stands there twice, one would be signed and the other read. */
function rawParameters(query: string): ReadonlyMap<string, string> {
  if (query.length > MESSAGE_LIMITS.bytes) throw refused("xml", "The query is longer than messages are.");
  const pairs = query.split("&").map((pair) => [decoded(pair.split("=")[0] ?? ""), pair.slice(pair.indexOf("=") + 1)] as const);
  const ours = pairs.filter(([name]) =>
    ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"].includes(name),
  );
  const found = new Map(ours);
  const encoding = found.get("SAMLEncoding");
  if (
    found.size !== ours.length ||
    (encoding !== undefined && decoded(encoding) !== "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE")
  )
    throw refused("shape", "The query holds a parameter twice, or a message in another encoding.");
  return found;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (cause) {
    throw refused("xml", "The query is not well encoded.", cause);
  }
}

async function inflated(bytes: Buffer): Promise<Buffer> {
  try {
    return await promisify(inflateRaw)(bytes, { maxOutputLength: MESSAGE_LIMITS.bytes });
  } catch (cause) {
    throw refused("xml", "The message can't be unpacked, or is larger than messages are.", cause);
  }
}

function relayStateOf(value: string): string {
  if (value.length > LONGEST_RELAY_STATE) throw refused("shape", "The RelayState is longer than it may be.");
  return value;
}
