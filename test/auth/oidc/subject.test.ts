import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { oidcSettings } from "../../../connectors/oidc/config.ts";
import { oidcSubject } from "../../../src/auth/oidc/subject.ts";

const TENANT = "0b2c6a5e-9d51-4c32-8f6e-6ad6d2b0a001";
const base = { clientId: "rollcall", clientSecret: "secret" };
const entra = oidcSettings.parse({ ...base, preset: "entra", tenantId: TENANT });
const google = oidcSettings.parse({ ...base, preset: "google", hostedDomains: ["Corp.test"] });
const okta = oidcSettings.parse({ ...base, preset: "okta", issuer: "https://example.okta.com/oauth2/default" });
const problemsOf = (settings: Record<string, unknown>) =>
  oidcSettings.safeParse({ ...base, ...settings }).error?.issues.map(({ path }) => path.join("."));

describe("G4: presets", () => {
  test("Entra ID: one tenant's issuer; tid and oid name the person, and another tenant is refused", () => {
    expect(entra.issuer).toBe(`https://login.microsoftonline.com/${TENANT}/v2.0`);
    expect(oidcSubject(entra, { sub: "pairwise", claims: { tid: TENANT, oid: "OID-1" } }).nativeId).toBe(`${TENANT}.oid-1`);
    const other = { tid: "0b2c6a5e-9d51-4c32-8f6e-6ad6d2b0a002", oid: "OID-1" };
    for (const claims of [other, { oid: "OID-1" }, { tid: TENANT }, { tid: TENANT, oid: "" }])
      expect(() => oidcSubject(entra, { sub: "x", claims })).toThrow(expect.objectContaining({ code: "forbidden" }));
    for (const tenantId of ["common", "organizations", "corp.onmicrosoft.com", undefined])
      expect(problemsOf({ preset: "entra", tenantId })).toEqual(["tenantId"]);
  });

  test("Entra ID: an address is verified where xms_edov says so, whatever email_verified says", () => {
    const verified = (claims: Record<string, unknown>) =>
      oidcSubject(entra, { sub: "x", claims: { tid: TENANT, oid: "1", email: "Ada@corp.test", ...claims } }).verified;
    expect(verified({ email_verified: true })).toEqual([]);
    expect(verified({ xms_edov: false })).toEqual([]);
    expect(verified({ xms_edov: true })).toEqual(["ada@corp.test"]);
  });

  test("Google: only accounts of the hosted domains, by hd and never by the address", () => {
    expect(google.issuer).toBe("https://accounts.google.com");
    expect(oidcSubject(google, { sub: "1", claims: { hd: "corp.test" } }).nativeId).toBe("1");
    for (const claims of [{ email: "ada@corp.test", email_verified: true }, { hd: "evil.test" }, { hd: ["corp.test", "x"] }])
      expect(() => oidcSubject(google, { sub: "1", claims })).toThrow(expect.objectContaining({ code: "forbidden" }));
    expect(problemsOf({ preset: "google" })).toEqual(["hostedDomains"]);
    expect(problemsOf({ preset: "google", hostedDomains: ["corp.test"], issuer: "https://evil.test" })).toEqual(["issuer"]);
  });

  test("Okta: the org's or a custom authorization server's issuer, and not the Admin Console's", () => {
    expect(oidcSubject(okta, { sub: "00u1", claims: {} }).nativeId).toBe("00u1");
    expect(problemsOf({ preset: "okta", issuer: "https://example-admin.okta.com" })).toEqual(["issuer"]);
  });
});

test("G4: settings want TLS, a way to prove the client, and a key that is strong enough", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  expect(problemsOf({ issuer: "http://id.example.com" })).toEqual(["issuer"]);
  expect(problemsOf({ issuer: "https://id.example.com?x=1" })).toEqual(["issuer"]);
  expect(problemsOf({})).toEqual(["issuer"]);
  expect(problemsOf({ issuer: "https://id.example.com", clientSecret: undefined })).toEqual(["clientSecret"]);
  expect(problemsOf({ issuer: "https://id.example.com", clientSecret: undefined, privateKey: weak })).toEqual(["privateKey"]);
  expect(problemsOf({ issuer: "https://id.example.com", scopes: ["email"] })).toEqual(["scopes"]);
  expect(problemsOf({ issuer: "https://id.example.com", clientAuthentication: "none" })).toEqual(["clientAuthentication"]);
});

describe("G4: whatever claims there are", () => {
  const generic = oidcSettings.parse({ ...base, issuer: "https://id.example.com", bothFactors: { amr: ["mfa"], acr: ["high"] } });

  test("attributes are bounded, can be kept, and are the same at the next sign-in; only a true email_verified vouches", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything({ maxDepth: 6, withNullPrototype: true })), (claims) => {
        const { attributes, verified, nativeId } = oidcSubject(generic, { sub: "s-1", claims });
        expect(nativeId).toBe("s-1");
        expect(attributes["sub"]).toBe("s-1");
        const text = JSON.stringify(attributes);
        expect(text).not.toMatch(/\\u0000|\\ud[89a-f]/i);
        if (claims["email_verified"] !== true) expect(verified).toEqual([]);
        const later = oidcSubject(generic, { sub: "s-1", claims: { ...claims, iat: 9, exp: 9, nonce: "n", at_hash: "h", sid: "other" } });
        const { nonce, iat, exp, at_hash, sid, ...rest } = claims;
        expect(later.attributes).toEqual(oidcSubject(generic, { sub: "s-1", claims: rest }).attributes);
        expect([nonce, iat, exp, at_hash, sid].length).toBe(5);
      }),
    );
  });

  test("both factors are believed by the values that the settings name alone", () => {
    const both = (claims: Record<string, unknown>) => oidcSubject(generic, { sub: "s", claims }).bothFactors;
    expect([{}, { amr: ["pwd"] }, { amr: "mfa" }, { acr: "low" }].map(both)).toEqual([false, false, false, false]);
    expect([{ amr: ["pwd", "mfa"] }, { acr: "high" }].map(both)).toEqual([true, true]);
  });
});
