import { refused } from "./refusal.ts";
import { MESSAGE_LIMITS, normalised } from "./xml/read.ts";

/** Base64 of the HTTP-POST binding to text, line ends normalised. Throws `unauthenticated`, field `saml.xml`. */
export function decodedMessage(encoded: string): string {
  if (encoded.length > MESSAGE_LIMITS.bytes * 2) throw refused("xml", `The message has more than ${MESSAGE_LIMITS.bytes} bytes.`);
  const packed = encoded.replaceAll(/[\s]/g, "");
  if (packed === "" || packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed))
    throw refused("xml", "The message is not in base64.");
  return textOf(Buffer.from(packed, "base64"));
}

/** UTF-8 bytes to text. Throws `unauthenticated` where they are none. */
export function textOf(bytes: Uint8Array): string {
  try {
    return normalised(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refused("xml", "The message is not in UTF-8.", cause);
  }
}
