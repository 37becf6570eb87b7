import { describe, expect, test } from "@jest/globals";
import { AppError } from "../../../src/errors.ts";
import { checkedLogoutRequest } from "../../../src/auth/saml/logout.ts";
import { validateResponse, type ValidateResponseOptions } from "../../../src/auth/saml/validate-response.ts";
import { MESSAGE_LIMITS, readXml } from "../../../src/auth/saml/xml/read.ts";
import * as made from "./signer.ts";

const { assertionXml, encoded, encrypted, IDP, newId, newKeys, NOW, responseXml } = made;
const [idp, own, other] = [newKeys("idp"), newKeys("own"), newKeys("other")];
const CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
const GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm";

const validate = (xml: string, settings: Partial<ValidateResponseOptions["settings"]> = {}) =>
  validateResponse(encoded(xml), {
    settings: { signed: "assertion", requireEncryption: false, clockSkewSeconds: 60, ...made.NO_CONTEXT, ...settings },
    identityProvider: { entityId: IDP, certificates: [idp.certificate] },
    own: { entityId: made.SP, acsUrl: made.ACS },
    // A key of another kind may stand before it during a roll-over.
    decryptionKeys: [newKeys("next", { curve: "P-256" }).privateKey, own.privateKey],
    now: NOW,
  });
async function reason(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthenticated") return error.field;
    throw error;
  }
  return "believed";
}
const signed = (xml: string) => responseXml(made.signed(xml, { key: idp.privateKey, element: "Assertion" }));
const NAME_ID = /<saml:NameID[\s\S]*<\/saml:NameID>/;
const nameId = (value: string) => `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${value}</saml:NameID>`;

describe("G4: an encrypted name", () => {
  const inside = async (plain: string, to = own, algorithm: typeof CBC | typeof GCM = CBC) =>
    assertionXml().replace(NAME_ID, await encrypted(plain, to, algorithm, "EncryptedID"));

  test("in an assertion is opened, and is as good as one that is not", async () => {
    expect(await validate(signed(await inside(nameId("eve"))))).toMatchObject({ nameId: { value: "eve" } });
    expect(await validate(signed(await inside(nameId("eve"), own, GCM)))).toMatchObject({ nameId: { value: "eve" } });
  });

  test("for another, that holds no name or stands beside one, or that was put in later is refused", async () => {
    expect(await reason(validate(signed(await inside(nameId("eve"), other))))).toBe("saml.encryption");
    expect(await reason(validate(signed(await inside("<x/>"))))).toBe("saml.subject");
    expect(await reason(validate(signed(await inside("not xml"))))).toBe("saml.xml");
    const both = assertionXml().replace("<saml:NameID", `${await encrypted(nameId("eve"), own, CBC, "EncryptedID")}<saml:NameID`);
    expect(await reason(validate(signed(both)))).toBe("saml.subject");
    const later = signed(assertionXml()).replace(NAME_ID, await encrypted(nameId("eve"), own, CBC, "EncryptedID"));
    expect(await reason(validate(later))).toBe("saml.signature");
  });

  test("in a request to sign out says whose sessions end", async () => {
    const request = (name: string) =>
      `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${newId()}" Version="2.0" IssueInstant="${NOW.toISOString()}" Destination="https://us.example/slo"><saml:Issuer>${IDP}</saml:Issuer>${name}</samlp:LogoutRequest>`;
    const take = (text: string) =>
      checkedLogoutRequest(
        { root: readXml(text, { limits: MESSAGE_LIMITS }), text },
        { issuer: IDP, sloUrl: "https://us.example/slo", clockSkewSeconds: 60, now: NOW, keys: [own.privateKey] },
      );
    const hidden = async (name: string, to = own) => await encrypted(name, to, CBC, "EncryptedID");
    expect(await take(request(nameId("ada")))).toMatchObject({ nameId: { value: "ada" } });
    expect(await take(request(await hidden(nameId("ada"))))).toMatchObject({ nameId: { value: "ada" } });
    expect(await reason(take(request(await hidden(nameId("ada"), other))))).toBe("saml.encryption");
    expect(await reason(take(request(nameId("ada") + (await hidden(nameId("eve"))))))).toBe("saml.subject");
    expect(await reason(take(request("")))).toBe("saml.subject");
  });
});

test("G4: who was to prove themselves in one of some ways has, or is refused", async () => {
  const password = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
  const strong = "https://refeds.org/profile/mfa";
  const good = signed(assertionXml());
  expect(await validate(good, { authnContext: [strong, password] })).toMatchObject({ authnContext: password });
  expect(await reason(validate(good, { authnContext: [strong] }))).toBe("saml.context");
  expect(await validate(good, { authnContext: [strong], authnContextComparison: "minimum" })).toMatchObject({ authnContext: password });
  const silent = signed(assertionXml().replace(/<saml:AuthnContextClassRef>.*<\/saml:AuthnContextClassRef>/, ""));
  expect(await reason(validate(silent, { authnContext: [password] }))).toBe("saml.context");
});
