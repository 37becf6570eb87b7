import { decryptElement } from "./decryption.ts";
import { NAMESPACES } from "./names.ts";
import { refused } from "./refusal.ts";
import { childrenOf, isNamed, type XmlElement } from "./xml/element.ts";
import { MESSAGE_LIMITS, readXml } from "./xml/read.ts";

const NAME_ID = { namespace: NAMESPACES.assertion, name: "NameID" };
const ENCRYPTED_ID = { namespace: NAMESPACES.assertion, name: "EncryptedID" };

export interface NameIdOptions {
  /** What the parent was read from. */
  text: string;
  /** PEM of our private keys. */
  keys: readonly string[];
  /** Whether a signature covers what is encrypted. */
  signedAround: boolean;
}

/**
 * The one name in a subject or a request, opened where it is encrypted (saml-core-2.0 section 2.2.4); undefined where there is none.
 * Throws `unauthenticated` where there are two, or it does not open.
 */
export async function nameIdIn(parent: XmlElement | undefined, options: NameIdOptions): Promise<XmlElement | undefined> {
  const [plain, encrypted] = [childrenOf(parent, NAME_ID), childrenOf(parent, ENCRYPTED_ID)];
  if (plain.length + encrypted.length > 1) throw refused("subject", "The message names two people, or one of them twice.");
  if (!encrypted[0]) return plain[0];
  const { xml } = await decryptElement(encrypted[0], options);
  const opened = readXml(xml, { limits: MESSAGE_LIMITS });
  if (!isNamed(opened, NAME_ID)) throw refused("subject", "What was encrypted is not a name.");
  return opened;
}
