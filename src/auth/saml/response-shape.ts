import { CANONICALISATION, DIGEST_ALGORITHMS, ENVELOPED, NAMESPACES } from "./names.ts";
import { refused } from "./refusal.ts";
import { SIGNATURE_METHODS } from "./signature-methods.ts";
import { childrenOf, descendantsOf, isNamed, onlyChild, within, type XmlElement } from "./xml/element.ts";

const { protocol, assertion, signature: dsig } = NAMESPACES;
const SIGNATURE = { namespace: dsig, name: "Signature" };
const ASSERTION = { namespace: assertion, name: "Assertion" };
const ENCRYPTED = { namespace: assertion, name: "EncryptedAssertion" };
const ID_NAMES = ["ID", "Id", "id"];

/** The parts of a response, each at the one place where it may stand. */
export interface ResponseShape {
  response: XmlElement;
  assertion: XmlElement;
  encrypted: boolean;
  /** Which of them carry a signature. */
  signed: { response: boolean; assertion: boolean };
}

/**
 * A response holds one assertion, plain or encrypted, as its own child, and signatures stand only where SAML puts them. That
 * leaves no room for a second, unsigned copy of anything, which is what every signature wrapping attack needs.
 * Throws `unauthenticated`.
 */
export function responseShape(response: XmlElement): ResponseShape {
  if (!isNamed(response, { namespace: protocol, name: "Response" })) throw refused("shape", "The message is not a SAML response.");
  checkVersion(response);
  const status = onlyChild(onlyChild(response, { namespace: protocol, name: "Status" }), { namespace: protocol, name: "StatusCode" });
  if (status === undefined) throw refused("shape", "The response has no status.");
  const all = [...within(response)];
  const named = (name: string) => all.filter((each) => each.name === name);
  // Counted by their names alone: the library behind this looks at names, whatever the namespace.
  const [assertions, responses] = [[...named("Assertion"), ...named("EncryptedAssertion")], named("Response")];
  const [found, ...more] = [...childrenOf(response, ASSERTION), ...childrenOf(response, ENCRYPTED)];
  if (responses.length !== 1 || assertions.length !== 1 || !found || more.length > 0)
    throw refused("shape", `The response must hold exactly one assertion; it has ${assertions.length}.`);
  checkIds(all);
  checkSignatures(response, { at: [response, found] });
  const encrypted = isNamed(found, ENCRYPTED);
  return { response, assertion: found, encrypted, signed: { response: isSigned(response), assertion: !encrypted && isSigned(found) } };
}

/** The shape of an assertion that stands alone, once decrypted. Throws `unauthenticated`. */
export function assertionShape(element: XmlElement): { signed: boolean } {
  const all = [...within(element)];
  const count = all.filter(({ name }) => name === "Assertion" || name === "EncryptedAssertion").length;
  if (!isNamed(element, ASSERTION) || count !== 1) throw refused("shape", "What was encrypted is not one assertion.");
  checkIds(all);
  checkSignatures(element, { at: [element] });
  return { signed: isSigned(element) };
}

export function checkVersion(element: XmlElement): void {
  if (element.attributes.get("Version") !== "2.0") throw refused("version", "The message is not of SAML 2.0.");
}

export function isSigned(element: XmlElement): boolean {
  return childrenOf(element, SIGNATURE).length === 1;
}

/** Every signature is a child of one of these, the only one of it, refers to it alone, and uses no algorithm that is not good enough. */
export function checkSignatures(root: XmlElement, { at }: { at: readonly XmlElement[] }): void {
  const signatures = [...within(root)].filter(({ name }) => name === "Signature");
  const inPlace = at.flatMap((holder) => childrenOf(holder, SIGNATURE).map((signature) => ({ holder, signature })));
  const doubled = at.some((holder) => childrenOf(holder, SIGNATURE).length > 1);
  if (doubled || signatures.length !== inPlace.length) throw refused("shape", "A signature stands where none may be, or more than one.");
  for (const each of inPlace) checkSignature(each);
}

function checkSignature({ holder, signature }: { holder: XmlElement; signature: XmlElement }): void {
  const part = (parent: XmlElement | undefined, name: string) => onlyChild(parent, { namespace: dsig, name });
  const info = part(signature, "SignedInfo");
  const reference = part(info, "Reference");
  if (!reference || descendantsOf(signature, { namespace: dsig, name: "Object" }).length > 0)
    throw refused("shape", "A signature must cover one thing, and hold nothing of its own.");
  if (reference.attributes.get("URI") !== `#${holder.attributes.get("ID") ?? ""}`)
    throw refused("shape", "A signature covers something other than what it stands in.");
  const algorithm = (element: XmlElement | undefined) => element?.attributes.get("Algorithm") ?? "";
  const transforms = childrenOf(part(reference, "Transforms"), { namespace: dsig, name: "Transform" }).map(algorithm);
  const wrong = [
    SIGNATURE_METHODS.has(algorithm(part(info, "SignatureMethod"))) ? undefined : algorithm(part(info, "SignatureMethod")),
    DIGEST_ALGORITHMS.has(algorithm(part(reference, "DigestMethod"))) ? undefined : algorithm(part(reference, "DigestMethod")),
    algorithm(part(info, "CanonicalizationMethod")) === CANONICALISATION ? undefined : algorithm(part(info, "CanonicalizationMethod")),
    transforms.find((transform) => transform !== ENVELOPED && transform !== CANONICALISATION),
    // Both, once each: a signature that leaves itself out, over one form of the bytes.
    transforms.toSorted().join(" ") === [ENVELOPED, CANONICALISATION].toSorted().join(" ") ? undefined : "other transforms than SAML's two",
  ].filter((each) => each !== undefined);
  if (wrong.length > 0)
    throw refused(
      "algorithm",
      `A signature uses ${wrong[0] || "no algorithm"}, which is not accepted: sign with RSA or ECDSA, and SHA-256.`,
    );
}

/** What the signatures in it name as their methods. */
export function signatureMethodsIn(element: XmlElement): string[] {
  return descendantsOf(element, { namespace: dsig, name: "SignatureMethod" }).map(({ attributes }) => attributes.get("Algorithm") ?? "");
}

/** Two elements of one id: a signature would be checked over one, and the other be read. */
export function checkIds(elements: readonly XmlElement[]): void {
  const ids = elements.flatMap(({ attributes }) => ID_NAMES.flatMap((name) => attributes.get(name) ?? []));
  if (new Set(ids).size !== ids.length) throw refused("shape", "Two parts of the message have the same id.");
}
