import { beforeAll, describe, expect, test } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import {
  CompactEncrypt,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  SignJWT,
  importJWK,
  type CryptoKey,
  type JWTPayload,
  type JWTVerifyGetKey,
} from "jose";
import { readMetadata } from "../../../connectors/kit/openid-metadata.ts";
import { mergedClaims } from "../../../src/auth/oidc/authorization-response.ts";
import { decryptionKey } from "../../../src/auth/oidc/decryption.ts";
import { verifyIdToken } from "../../../src/auth/oidc/id-token.ts";
import { verifyLogoutToken } from "../../../src/auth/oidc/logout-token.ts";

const ISSUER = "https://id.example.com";
const now = new Date("2027-03-01T12:00:00Z");
const at = Math.floor(now.getTime() / 1000);
const document = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  jwks_uri: `${ISSUER}/keys`,
  id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
};
const metadata = readMetadata(JSON.stringify(document), ISSUER);

let key: CryptoKey;
let strange: CryptoKey;
let keyOf: JWTVerifyGetKey;
beforeAll(async () => {
  const pair = await generateKeyPair("RS256", { extractable: true });
  key = pair.privateKey;
  strange = (await generateKeyPair("ES256")).privateKey;
  keyOf = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "RS256" }] });
});

const checks = () => ({ metadata, keyOf, clientId: "rollcall", now, clockSkewSeconds: 60 });
const signed = (claims: Record<string, unknown>, { header = {}, by = key }: { header?: Record<string, string>; by?: CryptoKey } = {}) =>
  new SignJWT(Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined)) as JWTPayload)
    .setProtectedHeader({ alg: "RS256", kid: "k1", ...header })
    .sign(by);
const refused = { code: "forbidden", field: "oidc" };

describe("G4: an ID token's own checks, whatever the library before them did", () => {
  const right = { iss: ISSUER, aud: "rollcall", sub: "ada", iat: at, exp: at + 600, nonce: "n", auth_time: at - 30 };
  const verify = async (claims: Record<string, unknown>, options: Parameters<typeof signed>[1] = {}, more = {}) =>
    verifyIdToken(await signed({ ...right, ...claims }, options), { ...checks(), nonce: "n", ...more });

  test("one that holds is read", async () => {
    expect(await verify({})).toMatchObject({ sub: "ada" });
    expect(await verify({ aud: ["rollcall", "other"], azp: "rollcall" })).toMatchObject({ sub: "ada" });
    expect(await verify({ iat: at + 59, exp: at - 59 }, {}, {})).toMatchObject({ sub: "ada" });
    expect(await verify({}, {}, { maxAge: 0 })).toMatchObject({ sub: "ada" });
  });

  test.each([
    ["another issuer", { iss: "https://id.example.com.evil.test" }],
    ["an issuer with a slash more", { iss: `${ISSUER}/` }],
    ["another audience", { aud: "other" }],
    ["several audiences without azp", { aud: ["rollcall", "other"] }],
    ["the azp of another client", { azp: "other" }],
    ["another nonce", { nonce: "m" }],
    ["no nonce", { nonce: undefined }],
    ["its end behind it", { exp: at - 61 }],
    ["no end", { exp: undefined }],
    ["an iat in the future", { iat: at + 61 }],
    ["no iat", { iat: undefined }],
    ["nobody", { sub: undefined }],
    ["a subject longer than there may be", { sub: "x".repeat(256) }],
  ])("one with %s is refused", async (_name, claims: Record<string, unknown>) => {
    await expect(verify(claims)).rejects.toMatchObject(refused);
  });

  test("one by another key, another algorithm, of another typ, or of a sign-in too long ago is refused", async () => {
    await expect(verify({}, { header: { alg: "ES256" }, by: strange })).rejects.toMatchObject(refused);
    await expect(verify({}, { header: { kid: "k2" } })).rejects.toMatchObject(refused);
    await expect(verify({}, { header: { typ: "logout+jwt" } })).rejects.toMatchObject(refused);
    await expect(verify({ auth_time: at - 200 }, {}, { maxAge: 100 })).rejects.toMatchObject(refused);
    await expect(verify({ auth_time: undefined }, {}, { maxAge: 100 })).rejects.toMatchObject(refused);
  });

  test("an address counts as verified only by the word of the answer that names it", () => {
    expect(mergedClaims({ idToken: { sub: "a", email: "eve@evil.test" }, more: { email: "ada@corp.test", email_verified: true } })).toEqual(
      {
        sub: "a",
        email: "eve@evil.test",
      },
    );
    expect(mergedClaims({ idToken: { sub: "a", email_verified: true }, more: { email: "ada@corp.test" } })).toEqual({
      sub: "a",
      email: "ada@corp.test",
    });
  });
});

describe("G4: an encrypted token", () => {
  const pem = (made: ReturnType<typeof generateKeyPairSync>["privateKey"]) => made.export({ type: "pkcs8", format: "pem" }).toString();
  const rsa = pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
  const curve = pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  const right = { iss: ISSUER, aud: "rollcall", sub: "ada", iat: at, exp: at + 600, nonce: "n" };
  const to = async (own: string, plain: string, { alg = own === rsa ? "RSA-OAEP-256" : "ECDH-ES", enc = "A256GCM" } = {}) => {
    const { publicJwk } = await decryptionKey(own);
    const header = { alg, enc, cty: "JWT" };
    return await new CompactEncrypt(new TextEncoder().encode(plain)).setProtectedHeader(header).encrypt(await importJWK(publicJwk, alg));
  };
  const verify = async (
    token: string,
    { own = rsa, requireEncryption = true }: { own?: string | undefined; requireEncryption?: boolean } = {},
  ) => verifyIdToken(token, { ...checks(), nonce: "n", requireEncryption, decryption: await decryptionKey(own) });

  test("opens with our key of either kind, and what is inside is judged as if it had come so", async () => {
    expect(await verify(await to(rsa, await signed(right)))).toMatchObject({ sub: "ada" });
    expect(await verify(await to(rsa, await signed(right), { alg: "RSA-OAEP", enc: "A128CBC-HS256" }))).toMatchObject({ sub: "ada" });
    expect(await verify(await to(curve, await signed(right)), { own: curve })).toMatchObject({ sub: "ada" });
    expect(await verify(await to(curve, await signed(right), { alg: "ECDH-ES+A256KW" }), { own: curve })).toMatchObject({ sub: "ada" });
    await expect(verify(await to(rsa, await signed({ ...right, nonce: "m" })))).rejects.toMatchObject(refused);
    await expect(verify(await to(rsa, await signed({ ...right, aud: "other" })))).rejects.toMatchObject(refused);
    expect(await verify(await signed(right), { requireEncryption: false })).toMatchObject({ sub: "ada" });
  });

  test("is refused for another, without a signature inside, twice around, unasked, changed, or where it must be and is not", async () => {
    const good = await to(rsa, await signed(right));
    const bare = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(JSON.stringify(right)).toString("base64url")}.`;
    const cut = good.split(".");
    const wrong = [
      await to(curve, await signed(right)),
      await to(rsa, JSON.stringify(right)),
      await to(rsa, bare),
      await to(rsa, await signed(right, { header: { alg: "ES256" }, by: strange })),
      await to(rsa, good),
      [cut[0], cut[1], cut[2], `${cut[3]?.startsWith("A") ? "B" : "A"}${cut[3]?.slice(1)}`, cut[4]].join("."),
      await signed(right),
      "a.b.c.d.e",
    ];
    for (const token of wrong) await expect(verify(token)).rejects.toMatchObject(refused);
    await expect(verifyIdToken(good, { ...checks(), nonce: "n" })).rejects.toThrow("no encryptionKey");
  });
});

describe("G4: a logout token", () => {
  const EVENT = "http://schemas.openid.net/event/backchannel-logout";
  const right = { iss: ISSUER, aud: "rollcall", sub: "ada", sid: "s1", iat: at, exp: at + 120, jti: "j1", events: { [EVENT]: {} } };
  const verify = async (claims: Record<string, unknown>, header: Record<string, string> = { typ: "logout+jwt" }) =>
    verifyLogoutToken(await signed({ ...right, ...claims }, { header }), checks());

  test("that holds names somebody, a session there, or both", async () => {
    expect(await verify({})).toMatchObject({ subject: "ada", session: "s1", id: "j1" });
    expect(await verify({ sub: undefined })).toMatchObject({ subject: undefined, session: "s1" });
    expect(await verify({ sid: undefined }, {})).toMatchObject({ subject: "ada", session: undefined });
    // Remembered while it could come again, whatever end it names: some that are numbers are no dates.
    for (const exp of [undefined, at + 60, 1e15, 1e300]) {
      const { expiresAt } = await verify({ exp });
      expect(expiresAt.getTime() - at * 1000).toBeGreaterThan(600_000);
      expect(expiresAt.getTime() - at * 1000).toBeLessThan(700_000);
    }
  });

  test.each([
    ["the typ of an access token", {}, { typ: "at+jwt" }],
    ["a nonce, as an ID token has", { nonce: "n" }, {}],
    ["no event", { events: undefined }, {}],
    ["another event", { events: { "http://schemas.openid.net/event/other": {} } }, {}],
    ["an event that says no object", { events: { [EVENT]: true } }, {}],
    ["neither person nor session", { sub: undefined, sid: undefined }, {}],
    ["no id", { jti: undefined }, {}],
    ["another audience", { aud: "other" }, {}],
    ["another issuer", { iss: "https://other.example.com" }, {}],
    ["its end behind it", { exp: at - 61 }, {}],
    ["an iat long ago and an end far ahead", { iat: at - 7200, exp: at + 7200 }, {}],
    ["an iat in the future", { iat: at + 61 }, {}],
  ])("with %s is refused", async (_name, claims: Record<string, unknown>, header: Record<string, string>) => {
    await expect(verify(claims, { typ: "logout+jwt", ...header })).rejects.toMatchObject(refused);
  });
});

test("G4: a token by an algorithm that is not pinned is refused, whatever key the provider's set has for it", async () => {
  const shared = new TextEncoder().encode("a-secret-of-32-characters-or-more");
  const claims = { iss: ISSUER, aud: "rollcall", sub: "ada", iat: at, exp: at + 600, nonce: "n" };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(shared);
  const any = { ...checks(), keyOf: async () => shared };
  await expect(verifyIdToken(token, { ...any, nonce: "n" })).rejects.toMatchObject(refused);
  await expect(verifyIdToken(token, { ...any, nonce: "n" })).rejects.toThrow("does not hold");
  const { nonce: _none, ...rest } = claims;
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const logout = await new SignJWT({ ...rest, jti: "j", events }).setProtectedHeader({ alg: "HS256", typ: "logout+jwt" }).sign(shared);
  await expect(verifyLogoutToken(logout, any)).rejects.toThrow("does not hold");
});

describe("G4: a discovery document", () => {
  test("is the issuer's own, to the letter, and names nothing without TLS", () => {
    const read = (more: Record<string, unknown>) => () => readMetadata(JSON.stringify({ ...document, ...more }), ISSUER);
    expect(read({})()).toMatchObject({ issuer: ISSUER });
    expect(read({ issuer: `${ISSUER}/` })).toThrow("another issuer");
    expect(read({ issuer: "https://evil.test" })).toThrow("another issuer");
    expect(read({ token_endpoint: "http://id.example.com/token" })).toThrow("without TLS");
    expect(read({ jwks_uri: "file:///etc/passwd" })).toThrow("jwks_uri");
    expect(read({ authorization_endpoint: undefined })).toThrow("authorization_endpoint");
  });
});
