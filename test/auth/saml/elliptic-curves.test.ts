import { sign, type DSAEncoding } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AppError } from "../../../src/errors.ts";
import { fromPost, fromRedirect } from "../../../src/auth/saml/incoming.ts";
import { readProviderMetadata } from "../../../src/auth/saml/provider-metadata.ts";
import { validateResponse, type ValidateResponseOptions } from "../../../src/auth/saml/validate-response.ts";
import * as made from "./signer.ts";
import { WRAPPED } from "./wrapping.ts";

const { ACS, assertionXml, encoded, encrypted, IDP, newKeys, NOW, responseXml, SP } = made;
const idp = newKeys("idp", { curve: "P-256" });
const rsa = newKeys("idp");
const other = newKeys("other", { curve: "P-256" });
const own = newKeys("own");

const validate = (xml: string, { settings = {}, certificates = [idp.certificate] }: Changed = {}) =>
  validateResponse(encoded(xml), {
    settings: { signed: "assertion", requireEncryption: false, clockSkewSeconds: 60, ...made.NO_CONTEXT, ...settings },
    identityProvider: { entityId: IDP, certificates },
    own: { entityId: SP, acsUrl: ACS },
    decryptionKeys: [own.privateKey],
    now: NOW,
  });
interface Changed {
  settings?: Partial<ValidateResponseOptions["settings"]>;
  certificates?: readonly string[];
}

async function reason(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthenticated") return error.field;
    throw error;
  }
  return "believed";
}
const signAssertion = (xml: string, key = idp.privateKey) => made.signed(xml, { key, element: "Assertion" });
const signResponse = (xml: string, key = idp.privateKey) => made.signed(xml, { key, element: "Response" });
const ada = { nameId: { value: "ada@example.org" } };

describe("G4: ECDSA", () => {
  test("holds over the assertion, the response or both, encrypted or not, on each curve, beside a key of RSA", async () => {
    const assertion = assertionXml();
    for (const xml of [
      responseXml(signAssertion(assertion)),
      signResponse(responseXml(signAssertion(assertion))),
      responseXml(await encrypted(signAssertion(assertion), own)),
      signResponse(responseXml(await encrypted(signAssertion(assertion), own, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"))),
      signResponse(responseXml(signAssertion(assertion, rsa.privateKey))),
      signResponse(responseXml(signAssertion(assertion)), rsa.privateKey),
    ])
      expect(await validate(xml, { certificates: [rsa.certificate, idp.certificate] })).toMatchObject(ada);
    for (const xml of [responseXml(assertion), responseXml(await encrypted(assertion, own))])
      expect(await validate(signResponse(xml), { settings: { signed: "response" } })).toMatchObject(ada);
    for (const curve of ["P-384", "P-521"]) {
      const key = newKeys("idp", { curve });
      const xml = responseXml(made.signed(assertion, { key: key.privateKey, element: "Assertion", algorithm: "ecdsa-sha512" }));
      expect(await validate(xml, { certificates: [key.certificate] })).toMatchObject(ada);
    }
    const long = responseXml(made.signed(assertion, { key: rsa.privateKey, element: "Assertion", algorithm: "rsa-sha384" }));
    expect(await validate(long, { certificates: [rsa.certificate] })).toMatchObject(ada);
  });

  test("by another key, of another kind of key, taken out or changed holds nothing", async () => {
    const good = responseXml(signAssertion(assertionXml()));
    const signature = "saml.signature";
    expect(await reason(validate(good, { certificates: [other.certificate] }))).toBe(signature);
    expect(await reason(validate(good, { certificates: [rsa.certificate] }))).toBe(signature);
    expect(await reason(validate(good, { certificates: [] }))).toBe(signature);
    expect(await reason(validate(good.replaceAll("ada@example.org", "eve@example.org")))).toBe(signature);
    expect(await reason(validate(good.replace(/<Signature[\s\S]*<\/Signature>/, "")))).toBe(signature);
    // Named as what it is not: the key decides, and fits no other method.
    expect(await reason(validate(good.replace("#ecdsa-sha256", "#rsa-sha384")))).toBe(signature);
    expect(await reason(validate(good.replace("#ecdsa-sha256", "#ecdsa-sha1")))).toBe("saml.algorithm");
    // r and s of zero, which a careless check takes.
    const zero = Buffer.alloc(64).toString("base64");
    expect(await reason(validate(good.replace(/<SignatureValue>[^<]+/, `<SignatureValue>${zero}`)))).toBe(signature);
    const inside = await encrypted(signAssertion(assertionXml(), other.privateKey), own);
    expect(await reason(validate(responseXml(inside)))).toBe(signature);
    expect(await reason(validate(signResponse(responseXml(inside))))).toBe(signature);
    expect(await reason(validate(signResponse(responseXml(signAssertion(assertionXml())), other.privateKey)))).toBe(signature);
    expect(await reason(validate(responseXml(await encrypted(assertionXml(), own))))).toBe(signature);
  });

  test.each(Object.entries(WRAPPED))("signature wrapped: %s", async (_name, { of, wrap }) => {
    const original = of === "Response" ? signResponse(responseXml(assertionXml())) : responseXml(signAssertion(assertionXml()));
    expect(await reason(validate(wrap(original), { settings: { signed: of === "Response" ? "response" : "assertion" } }))).toBe(
      "saml.shape",
    );
  });

  test("whatever single change is made to a signed response, it is refused or says the same", async () => {
    const good = signResponse(responseXml(signAssertion(assertionXml())));
    const believed = await validate(good);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom("", "x", "<", "&amp;", " ", "0"), async (at, put) => {
        const outcome = await validate(good.slice(0, at) + put + good.slice(at + 1)).catch((error: unknown) => error);
        if (outcome instanceof AppError) expect(outcome.code).toBe("unauthenticated");
        else expect(outcome).toEqual(believed);
      }),
      { numRuns: 60 },
    );
  });

  test("is taken of logout messages: in a form as XML signs, in a query also as X.509 writes it", async () => {
    const xml = `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1"/>`;
    const query = (dsaEncoding: DSAEncoding, method = "ecdsa-sha256", key = idp.privateKey) => {
      const algorithm = encodeURIComponent(`http://www.w3.org/2001/04/xmldsig-more#${method}`);
      const text = `SAMLRequest=${encodeURIComponent(deflateRawSync(xml).toString("base64"))}&SigAlg=${algorithm}`;
      return `${text}&Signature=${encodeURIComponent(sign("sha256", Buffer.from(text), { key, dsaEncoding }).toString("base64"))}`;
    };
    const take = (text: string) => fromRedirect(text, { certificates: [rsa.certificate, idp.certificate] });
    expect((await take(query("ieee-p1363"))).root.name).toBe("LogoutRequest");
    expect((await take(query("der"))).root.name).toBe("LogoutRequest");
    expect(await reason(take(query("der", "rsa-sha256")))).toBe("saml.signature");
    expect(await reason(take(query("der", "ecdsa-sha256", other.privateKey)))).toBe("saml.signature");
    expect(await reason(take(query("der", "ecdsa-sha256", rsa.privateKey)))).toBe("saml.signature");
    const posted = (key: string) => ({ samlRequest: encoded(made.signed(xml, { key, element: "LogoutRequest" })) });
    expect(fromPost(posted(idp.privateKey), { certificates: [idp.certificate] }).root.name).toBe("LogoutRequest");
    expect(() => fromPost(posted(other.privateKey), { certificates: [idp.certificate] })).toThrow("does not hold");
  });

  test("metadata may hold keys of three curves, and no weaker", () => {
    const read = (curve: string) =>
      readProviderMetadata(made.providerMetadata([newKeys("idp", { curve }).certificate]), { settings: {}, now: NOW });
    for (const curve of ["P-256", "P-384", "P-521"]) expect(read(curve).certificates).toHaveLength(1);
    expect(() => read("secp192k1")).toThrow("can't be used");
    expect(() => read("secp256k1")).toThrow("can't be used");
  });
});
