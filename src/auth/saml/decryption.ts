import { decrypt } from "xml-encryption";
import { ENCRYPTION_ALGORITHMS, KEY_TRANSPORT, MALLEABLE_ENCRYPTION_ALGORITHMS, NAMESPACES } from "./names.ts";
import { refused } from "./refusal.ts";
import { childrenOf, descendantsOf, onlyChild, type XmlElement } from "./xml/element.ts";
import { selfContained } from "./xml/self-contained.ts";

export interface Decrypted {
  /** The element as it was encrypted; nothing of it is proven. */
  xml: string;
  /** PEM of the private key that opened it. */
  key: string;
}

export interface DecryptOptions {
  /** The whole text that the element was read from. */
  text: string;
  /** PEM; the one in use first, then those that a rotation has replaced. */
  keys: readonly string[];
  /** Whether a signature over the ciphertext will be asked for: without it CBC would let anybody try changes of it. */
  signedAround: boolean;
}

/** Opens an EncryptedAssertion or an EncryptedID (saml-core-2.0 sections 2.3.4 and 2.2.4). Throws `unauthenticated`, alike for everything that can go wrong inside. */
export async function decryptElement(element: XmlElement, { text, keys, signedAround }: DecryptOptions): Promise<Decrypted> {
  checkAlgorithms(element, { signedAround });
  const xml = selfContained(element, text);
  for (const key of keys) {
    const opened = await tryKey(xml, key);
    if (opened !== undefined) return { xml: opened, key };
  }
  throw refused("encryption", "What is encrypted does not open with our keys: let the identity provider read our metadata again.");
}

function checkAlgorithms(element: XmlElement, { signedAround }: { signedAround: boolean }): void {
  const data = onlyChild(element, { namespace: NAMESPACES.encryption, name: "EncryptedData" });
  const keys = descendantsOf(element, { namespace: NAMESPACES.encryption, name: "EncryptedKey" });
  const algorithmOf = (parent: XmlElement | undefined) =>
    onlyChild(parent, { namespace: NAMESPACES.encryption, name: "EncryptionMethod" })?.attributes.get("Algorithm") ?? "";
  const of = algorithmOf(data);
  const inner = descendantsOf(element, { namespace: NAMESPACES.encryption, name: "EncryptedData" });
  if (
    !data ||
    inner.length !== 1 ||
    keys.length !== 1 ||
    childrenOf(element, { namespace: NAMESPACES.encryption, name: "EncryptedKey" }).length > 1
  )
    throw refused("shape", "What is encrypted must hold one piece of data and one key.");
  if (algorithmOf(keys[0]) !== KEY_TRANSPORT)
    throw refused("algorithm", `A key is encrypted with ${algorithmOf(keys[0])}: RSA-OAEP is accepted.`);
  if (ENCRYPTION_ALGORITHMS.has(of)) return;
  if (!MALLEABLE_ENCRYPTION_ALGORITHMS.has(of)) throw refused("algorithm", `It is encrypted with ${of}: AES is accepted.`);
  if (!signedAround)
    throw refused(
      "algorithm",
      "It is encrypted with AES-CBC and nothing around it is signed: have the response signed, too, or use AES-GCM.",
    );
}

/** Undefined where it does not open; how it failed must not be told apart. */
function tryKey(xml: string, key: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    decrypt(xml, { key, disallowDecryptionWithInsecureAlgorithm: true }, (error, result) => resolve(error ? undefined : result));
  });
}
