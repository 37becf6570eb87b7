import { createSign } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { AppError } from "../../../src/errors.ts";
import { fromRedirect } from "../../../src/auth/saml/incoming.ts";
import { subjectOf } from "../../../src/auth/saml/subject.ts";
import { validateResponse } from "../../../src/auth/saml/validate-response.ts";
import { MESSAGE_LIMITS, readXml } from "../../../src/auth/saml/xml/read.ts";
import { ACS, assertionXml, encoded, IDP, NO_CONTEXT, newKeys, NOW, responseXml, signed, SP, type AssertionParts } from "./signer.ts";

const idp = newKeys("idp");
const attacker = newKeys("attacker");
const sign = (xml: string, key = idp.privateKey) => signed(xml, { key, element: "Assertion" });
const good = (parts: AssertionParts = {}) => responseXml(sign(assertionXml(parts)));
const validate = (base64: string) =>
  validateResponse(base64, {
    settings: { signed: "assertion", requireEncryption: false, clockSkewSeconds: 60, ...NO_CONTEXT },
    identityProvider: { entityId: IDP, certificates: [idp.certificate] },
    own: { entityId: SP, acsUrl: ACS },
    decryptionKeys: [],
    now: NOW,
  });

async function reason(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => "believed",
    (thrown: unknown) => thrown,
  );
  return error instanceof AppError && error.code === "unauthenticated" ? (error.field ?? "") : String(error);
}
const why = (xml: string) => reason(validate(encoded(xml)));

/** A change of what is signed, by whoever signs. */
const signedWith = (change: (assertion: string) => string) => responseXml(sign(change(assertionXml())));

describe("A SAML message that was made to hurt is refused, and soon", () => {
  test("with namespaces enough to fill the memory, copied at every element", () => {
    const declared = (level: number) => Array.from({ length: 100 }, (_each, at) => ` xmlns:n${level}-${at}="u"`).join("");
    const levels = Array.from({ length: 20 }, (_each, level) => `<a${declared(level)}>`);
    const text = `${levels.join("")}${'<a xmlns:z="u"/>'.repeat(4000)}${"</a>".repeat(20)}`;
    expect(text.length).toBeLessThan(MESSAGE_LIMITS.bytes);
    expect(() => readXml(text, { limits: MESSAGE_LIMITS })).toThrow(/namespaces/);
  });

  test("that names an algorithm by what every object has", async () => {
    const message = encodeURIComponent(deflateRawSync("<a/>").toString("base64"));
    for (const algorithm of ["constructor", "__proto__", "toString"])
      expect(
        await reason(fromRedirect(`SAMLRequest=${message}&SigAlg=${algorithm}&Signature=AA%3D%3D`, { certificates: [idp.certificate] })),
      ).toBe("saml.algorithm");
  });

  test("that unpacks to far more than it is, or is not text, though its signature holds", async () => {
    const send = (bytes: Buffer) => {
      const algorithm = encodeURIComponent("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
      const covered = `SAMLRequest=${encodeURIComponent(bytes.toString("base64"))}&SigAlg=${algorithm}`;
      const signature = createSign("sha256").update(covered).sign(idp.privateKey, "base64");
      return reason(fromRedirect(`${covered}&Signature=${encodeURIComponent(signature)}`, { certificates: [idp.certificate] }));
    };
    expect(await send(deflateRawSync(Buffer.alloc(64 * 1024 * 1024, "a")))).toBe("saml.xml");
    expect(await send(deflateRawSync(Buffer.from("<a/>", "utf16le")))).toBe("saml.xml");
    expect(await send(Buffer.from("<a/>"))).toBe("saml.xml");
  });

  test("in another encoding than UTF-8, said or not", async () => {
    const xml = good();
    expect(await reason(validate(Buffer.from(xml, "utf16le").toString("base64")))).toBe("saml.xml");
    expect(await reason(validate(Buffer.from(`\ufeff${xml}`, "utf16le").toString("base64")))).toBe("saml.xml");
    expect(await why(`<?xml version="1.0" encoding="UTF-7"?>${xml}`)).toBe("saml.xml");
    expect(await why(`<?xml version="1.1"?>${xml}`)).toBe("saml.xml");
    expect(await reason(validate(Buffer.from(xml.replace("ada@", "\u00e4da@"), "latin1").toString("base64")))).toBe("saml.xml");
  });
});

describe("A signature is taken as SAML puts it, and no other way", () => {
  const changed = (from: string | RegExp, to: string) => good().replace(from, to);

  test("over nothing in particular, another thing, or by other transforms", async () => {
    expect(await why(changed(/URI="#[^"]+"/, 'URI=""'))).toBe("saml.shape");
    expect(await why(changed(/ URI="#[^"]+"/, ""))).toBe("saml.shape");
    expect(await why(changed(/URI="#([^"]+)"/, `URI="#xpointer(id('$1'))"`))).toBe("saml.shape");
    const transform = (algorithm: string) => changed("<Transforms>", `<Transforms><Transform Algorithm="${algorithm}"/>`);
    expect(await why(transform("http://www.w3.org/TR/1999/REC-xslt-19991116"))).toBe("saml.algorithm");
    expect(await why(transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature"))).toBe("saml.algorithm");
    expect(await why(transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments"))).toBe("saml.algorithm");
  });

  test("with the attacker's certificate inside, whatever is said of keys", async () => {
    const base64 = attacker.certificate.replaceAll(/-----[A-Z ]+-----|\s/g, "");
    const info = `<KeyInfo><X509Data><X509Certificate>${base64}</X509Certificate></X509Data></KeyInfo>`;
    const xml = responseXml(sign(assertionXml(), attacker.privateKey));
    expect(await why(xml)).toBe("saml.signature");
    expect(await why(xml.replace("</SignatureValue>", `</SignatureValue>${info}`))).toBe("saml.signature");
  });

  test("with another element of the same id by another spelling of the attribute, or of another namespace's name", async () => {
    for (const name of ["Id", "id"]) {
      const xml = good();
      const assertionId = /<saml:Assertion [^>]*ID="([^"]+)"/.exec(xml)?.[1] ?? "";
      expect(await why(xml.replace("<samlp:Status>", `<samlp:Status><x ${name}="${assertionId}"/>`))).toMatch(/^saml\./);
    }
    expect(await why(changed("<samlp:Status>", '<Assertion xmlns="urn:x"/><samlp:Status>'))).toBe("saml.shape");
    expect(await why(changed("<samlp:Status>", '<Signature xmlns="urn:x"/><samlp:Status>'))).toBe("saml.shape");
  });

  test("with a second SignedInfo or Reference, wherever it hides, that has the digest of what was changed", async () => {
    const assertion = assertionXml({ id: "_fixed" });
    const right = sign(assertion);
    const forged = sign(assertion.replaceAll("ada@", "eve@"), attacker.privateKey);
    const part = (xml: string, name: string) => new RegExp(`<${name}[ >][\\s\\S]*</${name}>`).exec(xml)?.[0] ?? "";
    const [signature, info, reference] = [part(right, "Signature"), part(forged, "SignedInfo"), part(forged, "Reference")];
    const digest = part(forged, "DigestValue");
    expect([info, reference, digest].every((each) => each !== "")).toBe(true);
    const places: ((xml: string) => string)[] = [
      (xml) => xml.replace("<SignedInfo>", `${info}<SignedInfo>`),
      (xml) => xml.replace("</SignedInfo>", `</SignedInfo>${info}`),
      (xml) => xml.replace("</SignatureValue>", `</SignatureValue><KeyInfo>${info}</KeyInfo>`),
      (xml) => xml.replace("<SignedInfo>", `<KeyInfo>${info}</KeyInfo><SignedInfo>`),
      (xml) => xml.replace("<SignedInfo>", `<x:SignedInfo xmlns:x="urn:x">${reference}</x:SignedInfo><SignedInfo>`),
      (xml) => xml.replace("<Reference", `${reference}<Reference`),
      (xml) => xml.replace("</Reference>", `</Reference>${reference}`),
      (xml) => xml.replace("<DigestValue>", `${digest}<DigestValue>`),
      (xml) => xml.replace("</DigestValue>", `</DigestValue>${digest}`),
      (xml) =>
        xml.replace("<DigestValue>", `<x:DigestValue xmlns:x="urn:x">${digest.replace(/<[^>]+>/g, "")}</x:DigestValue><DigestValue>`),
    ];
    for (const place of places) {
      const hidden = forged.replace(part(forged, "Signature"), place(signature));
      expect(hidden).toContain("eve@");
      expect(await why(responseXml(hidden))).toMatch(/^saml\./);
    }
  });
});

describe("What an identity provider has signed says who it is about, for whom and until when", () => {
  test("blanks that are not XML's are part of a name: nobody becomes somebody else by them", async () => {
    for (const name of ["ada\u00a0", "\u2003ada", "ada\ufeff", "ada\u200b", "a\u00adda"]) {
      const { nameId } = await validate(encoded(good({ nameId: name })));
      expect(nameId.value).toBe(name);
    }
    expect((await validate(encoded(good({ nameId: "\n  ada\n" })))).nameId.value).toBe("ada");
  });

  test("two audience restrictions must both be for us; once only is understood; anything else is not", async () => {
    const another = (uri: string) => `<saml:AudienceRestriction><saml:Audience>${uri}</saml:Audience></saml:AudienceRestriction>`;
    const conditions = (more: string) => signedWith((xml) => xml.replace("</saml:Conditions>", `${more}</saml:Conditions>`));
    expect(await why(conditions(another("https://other.example")))).toBe("saml.audience");
    expect(await why(conditions("<saml:AudienceRestriction/>"))).toBe("saml.audience");
    expect(await why(conditions(another(SP) + "<saml:OneTimeUse/>"))).toBe("believed");
    expect(await why(conditions("<saml:Condition/>"))).toBe("saml.shape");
    expect(await why(conditions('<OneTimeUse xmlns="urn:x"/>'))).toBe("saml.shape");
  });

  test("a confirmation without an end, with a beginning, or for another; entity ids of another case", async () => {
    expect(await why(signedWith((xml) => xml.replace(/(<saml:SubjectConfirmationData) NotOnOrAfter="[^"]+"/, "$1")))).toMatch(/^saml\./);
    expect(
      await why(
        signedWith((xml) => xml.replace("<saml:SubjectConfirmationData", '<saml:SubjectConfirmationData NotBefore="2020-01-01T00:00:00Z"')),
      ),
    ).toBe("saml.time");
    expect(await why(signedWith((xml) => xml.replace(":cm:bearer", ":cm:sender-vouches")))).toBe("saml.subject");
    expect(await why(good({ issuer: IDP.toUpperCase() }))).toBe("saml.issuer");
    expect(await why(good({ audience: SP.toUpperCase() }))).toBe("saml.audience");
    expect(await why(good({ recipient: `${ACS}/` }))).toBe("saml.recipient");
    expect(await why(good({ until: "2027-03-01T12:05:00+14:00" }))).toBe("saml.time");
  });

  test("an empty InResponseTo is an answer to nothing, and is told as one", async () => {
    const xml = responseXml(sign(assertionXml({ inResponseTo: "" })), { inResponseTo: "" });
    expect((await validate(encoded(xml))).inResponseTo).toBe("");
  });

  test("attributes are what they are called, also by what every object has; types are not looked at", async () => {
    const xml = good({ nameId: "ada", attributes: { constructor: ["x"], __proto: ["y"], toString: ["z"], "urn:oid:2.5.4.42": ["Ada"] } });
    const { attributes } = subjectOf(await validate(encoded(xml)), { lists: [] });
    expect(Object.entries(attributes)).toEqual([
      ["nameId", "ada"],
      ["constructor", "x"],
      ["__proto", "y"],
      ["toString", "z"],
      ["givenName", "Ada"],
      ["urn:oid:2.5.4.42", "Ada"],
    ]);
    const typed = signedWith((assertion) =>
      assertion.replace(
        "<saml:AttributeValue>",
        '<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:anyURI" xsi:nil="true" xmlns:xs="http://www.w3.org/2001/XMLSchema">',
      ),
    );
    expect((await validate(encoded(typed))).attributes.get("mail")).toEqual(["ada@example.org"]);
  });
});
