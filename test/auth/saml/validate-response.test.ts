import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AppError } from "../../../src/errors.ts";
import { validateResponse, type ValidateResponseOptions } from "../../../src/auth/saml/validate-response.ts";
import {
  ACS,
  assertionXml,
  encoded,
  encrypted,
  IDP,
  NO_CONTEXT,
  newId,
  newKeys,
  NOW,
  responseXml,
  signed,
  SP,
  type AssertionParts,
} from "./signer.ts";
import { WRAPPED } from "./wrapping.ts";

const idp = newKeys("idp");
const other = newKeys("other");
const own = newKeys("own");

type Changed = Partial<Omit<ValidateResponseOptions, "settings">> & { settings?: Partial<ValidateResponseOptions["settings"]> };

const validate = (xml: string, { settings, ...changed }: Changed = {}) =>
  validateResponse(encoded(xml), {
    settings: { signed: "assertion", requireEncryption: false, clockSkewSeconds: 60, ...NO_CONTEXT, ...settings },
    identityProvider: { entityId: IDP, certificates: [idp.certificate] },
    own: { entityId: SP, acsUrl: ACS },
    decryptionKeys: [own.privateKey],
    now: NOW,
    ...changed,
  });

/** Why it was refused. */
async function reason(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthenticated") return error.field?.replace("saml.", "");
    throw error;
  }
  throw new Error("it was believed");
}

const signAssertion = (xml: string, key = idp.privateKey) => signed(xml, { key, element: "Assertion" });
const signResponse = (xml: string, key = idp.privateKey) => signed(xml, { key, element: "Response" });
const good = (parts: AssertionParts = {}) => responseXml(signAssertion(assertionXml(parts)));
const refusedBecause = (xml: string, changed?: Changed) => reason(validate(xml, changed));

describe("what is believed", () => {
  test("G4: a signed assertion, with everything that it says", async () => {
    const xml = good({
      id: "_a1",
      nameId: "ada",
      attributes: { mail: ["ada@example.org"], groups: ["eng", "admins"] },
      sessionIndex: "_s1",
    });
    expect(await validate(xml)).toEqual({
      id: "_a1",
      nameId: {
        value: "ada",
        format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        nameQualifier: undefined,
        spNameQualifier: undefined,
      },
      attributes: new Map([
        ["mail", ["ada@example.org"]],
        ["groups", ["eng", "admins"]],
      ]),
      sessionIndex: "_s1",
      sessionNotOnOrAfter: undefined,
      authenticatedAt: new Date("2027-03-01T11:59:30Z"),
      authnContext: "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
      inResponseTo: "_request",
      usableUntil: new Date("2027-03-01T12:06:00Z"),
    });
  });

  test("a signed response, both signed, and whatever certificate of several it is signed with", async () => {
    const changing = { identityProvider: { entityId: IDP, certificates: [other.certificate, idp.certificate] } };
    expect((await validate(signResponse(responseXml(assertionXml())), { settings: { signed: "response" } })).nameId.value).toBe(
      "ada@example.org",
    );
    expect((await validate(signResponse(good()), { settings: { signed: "both" }, ...changing })).nameId.value).toBe("ada@example.org");
  });

  test("an encrypted assertion, with the key in use or one that a rotation has replaced", async () => {
    const inside = await encrypted(signAssertion(assertionXml({ nameId: "secret" })), own);
    expect((await validate(responseXml(inside), { settings: { requireEncryption: true } })).nameId.value).toBe("secret");
    expect((await validate(responseXml(inside), { decryptionKeys: [other.privateKey, own.privateKey] })).nameId.value).toBe("secret");
    const cbc = await encrypted(signAssertion(assertionXml({ nameId: "secret" })), own, "http://www.w3.org/2001/04/xmlenc#aes256-cbc");
    expect((await validate(signResponse(responseXml(cbc)))).nameId.value).toBe("secret");
  });

  test("an XML declaration, line ends of another system, and a response that nobody asked for, which says so", async () => {
    const xml = `<?xml version="1.0" encoding="UTF-8"?>\r\n${good()}\r\n`;
    expect((await validate(xml)).id).toMatch(/^_/);
    const unasked = responseXml(signAssertion(assertionXml({ inResponseTo: undefined })), { inResponseTo: undefined });
    expect((await validate(unasked)).inResponseTo).toBeUndefined();
  });
});

describe("the negative suite", () => {
  test("signature stripped", async () => {
    expect(await refusedBecause(responseXml(assertionXml()))).toBe("signature");
    expect(await refusedBecause(good(), { settings: { signed: "both" } })).toBe("signature");
    expect(await refusedBecause(good(), { settings: { signed: "response" } })).toBe("signature");
    expect(await refusedBecause(signResponse(responseXml(assertionXml())))).toBe("signature");
  });

  test("a signature that does not hold, beside one that does", async () => {
    expect(await refusedBecause(signResponse(good()).replace('Destination="https', 'Destination="http'))).toBe("signature");
    expect(await refusedBecause(signResponse(good(), other.privateKey))).toBe("signature");
  });

  test.each(Object.entries(WRAPPED))("signature wrapped: %s", async (_name, { of, wrap }) => {
    const original = of === "Response" ? signResponse(responseXml(assertionXml())) : good();
    const settings = { signed: of === "Response" ? ("response" as const) : ("assertion" as const) };
    expect((await validate(original, { settings })).nameId.value).toBe("ada@example.org");
    const wrapped = wrap(original);
    expect(wrapped).toContain("eve@example.org");
    expect(await refusedBecause(wrapped, { settings })).toBe("shape");
  });

  test("content changed under the signature", async () => {
    expect(
      await refusedBecause(
        good().replace('<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ada', "<saml:NameID>eve"),
      ),
    ).toBe("signature");
  });

  test("wrong audience, recipient, issuer, certificate and destination", async () => {
    expect(await refusedBecause(good({ audience: "https://other.example.com" }))).toBe("audience");
    expect(await refusedBecause(good({ recipient: "https://other.example.com/acs" }))).toBe("recipient");
    expect(await refusedBecause(good({ issuer: "https://other.example.org" }))).toBe("issuer");
    expect(await refusedBecause(responseXml(signAssertion(assertionXml(), other.privateKey)))).toBe("signature");
    expect(await refusedBecause(good(), { identityProvider: { entityId: IDP, certificates: [] } })).toBe("signature");
    expect(await refusedBecause(responseXml(signAssertion(assertionXml()), { destination: "https://other.example.com/acs" }))).toBe(
      "destination",
    );
    expect(await refusedBecause(responseXml(signAssertion(assertionXml()), { issuer: "https://other.example.org" }))).toBe("issuer");
  });

  test("expired and not yet valid, by a clock that may differ no more than is allowed", async () => {
    const iso = (seconds: number) => new Date(NOW.getTime() + seconds * 1000).toISOString();
    expect(await refusedBecause(good({ until: iso(-60) }))).toBe("time");
    expect(await refusedBecause(good({ confirmedUntil: iso(-60) }))).toBe("time");
    expect(await refusedBecause(good({ from: iso(61) }))).toBe("time");
    expect(await refusedBecause(good({ authenticatedAt: iso(61) }))).toBe("time");
    expect(await refusedBecause(good({ confirmedUntil: "2027-03-01 12:05" }))).toBe("time");
    expect((await validate(good({ until: iso(-59), from: iso(60) }))).nameId.value).toBe("ada@example.org");
    expect(await refusedBecause(good({ until: iso(-59) }), { settings: { clockSkewSeconds: 0 } })).toBe("time");
  });

  test("the answer to another request inside than outside", async () => {
    expect(await refusedBecause(responseXml(signAssertion(assertionXml({ inResponseTo: "_one" })), { inResponseTo: "_two" }))).toBe(
      "in_response_to",
    );
  });

  test("comment injection", async () => {
    const split = good({ nameId: "ada@example.org<!---->.evil.example" });
    expect(await refusedBecause(split)).toBe("xml");
    // Put in after signing, where the canonical form leaves it out and the signature would still hold.
    expect(await refusedBecause(good({ nameId: "ada@example.org.evil.example" }).replace("org.evil", "org<!---->.evil"))).toBe("xml");
    const hidden = await encrypted(signAssertion(assertionXml()).replace("ada@", "ada<!---->@"), own);
    expect(await refusedBecause(responseXml(hidden))).toBe("xml");
  });

  test("external entities, billion laughs, processing instructions and CDATA", async () => {
    const entity = `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${good().replace("ada@", "&x;@")}`;
    const laughs = `<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>${good().replace("ada@", "&b;@")}`;
    for (const xml of [entity, laughs, good().replace("ada@", "&x;@"), `${good()}<?php ?>`, good().replace("ada@", "<![CDATA[eve]]>@")])
      expect(await refusedBecause(xml)).toBe("xml");
  });

  test("a huge document, a deep one, one of many elements, and what is no message at all", async () => {
    expect(await refusedBecause(good({ attributes: { mail: ["x".repeat(300_000)] } }))).toBe("xml");
    expect(
      await refusedBecause(good().replace("<saml:AttributeValue>", "<saml:AttributeValue>" + "<x>".repeat(40) + "</x>".repeat(40))),
    ).toBe("xml");
    expect(await refusedBecause(good().replace("<saml:AttributeValue>", "<saml:AttributeValue>" + "<x/>".repeat(6000)))).toBe("xml");
    expect(
      await reason(
        validateResponse("x".repeat(900_000), {
          ...({} as ValidateResponseOptions),
          settings: { signed: "both", requireEncryption: false, clockSkewSeconds: 0, ...NO_CONTEXT },
          identityProvider: { entityId: IDP, certificates: [] },
        }),
      ),
    ).toBe("xml");
    for (const xml of ["", "<", "<a", "<a></b>", "<a/><a/>", "hello", "<a:b/>", "<a b='1' b='2'/>", "\u0000", "<a>&unknown;</a>"])
      expect(await refusedBecause(xml)).toBe("xml");
  });

  test("SHA-1, and an HMAC with the public key as its secret", async () => {
    const weak = (algorithm: "rsa-sha1" | "hmac-sha1", key: string) =>
      responseXml(signed(assertionXml(), { key, element: "Assertion", algorithm }));
    expect(await refusedBecause(weak("rsa-sha1", idp.privateKey))).toBe("algorithm");
    expect(await refusedBecause(weak("hmac-sha1", idp.certificate))).toBe("algorithm");
    expect(await refusedBecause(weak("hmac-sha1", idp.publicKey))).toBe("algorithm");
    const inside = await encrypted(signed(assertionXml(), { key: idp.privateKey, element: "Assertion", algorithm: "rsa-sha1" }), own);
    expect(await refusedBecause(responseXml(inside))).toBe("algorithm");
    expect(await refusedBecause(signResponse(responseXml(inside)))).toBe("algorithm");
  });

  test("two assertions, in whatever order, one of them encrypted, or in another's advice", async () => {
    const two = signAssertion(assertionXml()) + assertionXml({ nameId: "eve@example.org" });
    expect(await refusedBecause(responseXml(two))).toBe("shape");
    expect(await refusedBecause(responseXml(assertionXml({ nameId: "eve@example.org" }) + signAssertion(assertionXml())))).toBe("shape");
    expect(await refusedBecause(responseXml((await encrypted(assertionXml(), own)) + signAssertion(assertionXml())))).toBe("shape");
    const advice = assertionXml().replace("<saml:AuthnStatement", `<saml:Advice>${assertionXml()}</saml:Advice><saml:AuthnStatement`);
    expect(await refusedBecause(responseXml(signAssertion(advice)))).toBe("shape");
    expect(await refusedBecause(responseXml(""))).toBe("shape");
  });

  test("two elements of one id", async () => {
    const id = newId();
    expect(await refusedBecause(responseXml(signAssertion(assertionXml({ id })), { id }))).toBe("shape");
  });

  test("encryption that nobody asked for, weak, for another, or open to changes", async () => {
    const assertion = signAssertion(assertionXml());
    expect(await refusedBecause(good(), { settings: { requireEncryption: true } })).toBe("encryption");
    expect(await refusedBecause(responseXml(await encrypted(assertion, other)))).toBe("encryption");
    expect(await refusedBecause(responseXml(await encrypted(assertion, own, "http://www.w3.org/2001/04/xmlenc#aes256-cbc")))).toBe(
      "algorithm",
    );
    expect(
      await refusedBecause(signResponse(responseXml(await encrypted(assertion, own, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc")))),
    ).toBe("algorithm");
    expect(await refusedBecause(responseXml(await encrypted(assertionXml(), own)))).toBe("signature");
    expect(await refusedBecause(responseXml(await encrypted("<x/>", own)))).toBe("shape");
  });

  test("an identity provider that says no, another version, another kind of message, nobody, and conditions that are not known", async () => {
    expect(await refusedBecause(responseXml(signAssertion(assertionXml()), { status: "Responder" }))).toBe("status");
    expect(await refusedBecause(good().replace('Version="2.0"', 'Version="1.1"'))).toBe("version");
    expect(await refusedBecause(good().replaceAll("samlp:Response", "samlp:LogoutResponse"))).toBe("shape");
    expect(await refusedBecause(good({ nameId: "" }))).toBe("subject");
    const unknown = assertionXml().replace("</saml:Conditions>", '<x:Only xmlns:x="urn:x"/></saml:Conditions>');
    expect(await refusedBecause(responseXml(signAssertion(unknown)))).toBe("shape");
    const holder = assertionXml().replace("cm:bearer", "cm:holder-of-key");
    expect(await refusedBecause(responseXml(signAssertion(holder)))).toBe("subject");
  });

  test("whatever single change is made to a signed response, it is refused or says the same", async () => {
    const xml = signResponse(good({ id: "_fixed" }));
    const said = JSON.stringify(await validate(xml));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(xml.length - 1),
        fc.constantFrom("", "<", ">", "x", " ", "&", '"', "<!---->", "<x/>", "\u0000"),
        async (at, insert) => {
          const changed = xml.slice(0, at) + insert + xml.slice(insert === "" ? at + 1 : at);
          const outcome = await validate(changed).then(
            (found) => JSON.stringify(found),
            (error: unknown) => error,
          );
          if (typeof outcome === "string") expect(outcome).toBe(said);
          else expect(outcome).toMatchObject({ code: "unauthenticated" });
        },
      ),
      { numRuns: 150 },
    );
  });
});
