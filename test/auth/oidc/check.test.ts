import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ResponseBodyError } from "openid-client";
import { oidcSettings } from "../../../connectors/oidc/config.ts";
import { judgedAnswer, judgedRefusal } from "../../../src/auth/oidc/check-answers.ts";
import { checkOidcClient } from "../../../src/auth/oidc/check.ts";
import { CLIENT, startCertifiedProvider, type CertifiedProvider } from "../../counterparts/oidc/certified-provider.ts";
import { startLyingProvider } from "../../counterparts/oidc/lying-provider.ts";
import { testContext } from "../../helpers/database.ts";

const BASE = "https://rollcall.example.com";
const started: { close(): Promise<void> }[] = [];
let provider: CertifiedProvider;
let handingOver: CertifiedProvider;
const startProvider = async (features = {}) => {
  const one = await startCertifiedProvider({ rollcall: BASE, calledAt: BASE, features });
  started.push(one);
  return one;
};
beforeAll(async () => {
  provider = await startProvider();
  handingOver = await startProvider({ pushedAuthorizationRequests: { enabled: true } });
});
afterAll(() => Promise.all(started.map((each) => each.close())));

const check = (more: Record<string, unknown>, { name = "sso", now = new Date() } = {}) =>
  checkOidcClient(testContext({ now: () => now }), {
    settings: oidcSettings.parse({ ...CLIENT, issuer: provider.issuer, ...more }),
    name,
    baseUrl: BASE,
  });
const found = async (results: ReturnType<typeof check>, name: string) => (await results).find((each) => each.name === name);

describe.each(["by the browser", "beforehand"])("G4: checked at a certified provider, the request handed over %s", (how) => {
  const there = () => ({ issuer: how === "beforehand" ? handingOver.issuer : provider.issuer });

  test("a client as it was registered is known there", async () => {
    const results = await check(there());
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    expect(results.map(({ name }) => name)).toEqual(["Clock", "PKCE", "Redirect URI", "Client"]);
    expect(results[2]?.message).toBe(`${BASE}/oidc/sso/callback is known there`);
  });

  test("another address, client, secret or way to prove it is told, and the secret is not", async () => {
    expect(await found(check(there(), { name: "other" }), "Redirect URI")).toMatchObject({ ok: false });
    expect(await found(check({ ...there(), clientId: "nobody" }), "Redirect URI")).toMatchObject({ ok: false });
    const wrong = await check({ ...there(), clientSecret: "not-the-secret-of-it" });
    expect(wrong.find(({ name }) => name === "Client")).toMatchObject({ ok: false });
    expect(JSON.stringify(wrong)).not.toContain("not-the-secret-of-it");
    const privateKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
    expect(await found(check({ ...there(), clientSecret: undefined, privateKey }), "Client")).toMatchObject({ ok: false });
  });
});

test("G4: a clock that is wrong, a provider without S256, and one that gives tokens for nothing are told", async () => {
  expect(await found(check({}, { now: new Date(Date.now() + 600_000) }), "Clock")).toMatchObject({ ok: false });
  const lying = await startLyingProvider({ metadata: { code_challenge_methods_supported: ["plain"] } });
  started.push(lying);
  expect(await found(check({ issuer: lying.issuer }), "PKCE")).toMatchObject({ ok: false });
});

describe("G4: what is wrong is named as the provider's console names it", () => {
  const redirectUri = `${BASE}/oidc/sso/callback`;
  const judge = (preset: "entra" | "google" | "okta", answer: { status?: number; location?: string; text?: string }) =>
    judgedAnswer(
      { status: 200, text: "", ...answer, location: answer.location },
      { settings: { preset, clientId: "abc", clientAuthentication: "client_secret_basic" }, redirectUri },
    );

  test("Entra ID answers with a page and a code", () => {
    expect(judge("entra", { text: "AADSTS50011: The redirect URI …" }).message).toContain("Authentication > Web > Redirect URIs");
    expect(judge("entra", { text: "AADSTS700016: Application …" }).message).toContain("Application (client) ID");
  });

  test("Google leads to a page of its own; Okta answers 400", () => {
    const location =
      "https://accounts.google.com/signin/oauth/error?authError=ChVyZWRpcmVjdF91cmlfbWlzbWF0Y2g&client_id=abc&flow=redirect_uri_mismatch";
    expect(judge("google", { status: 302, location })).toMatchObject({ ok: false });
    expect(judge("google", { status: 302, location }).message).toContain(`Authorized redirect URIs with ${redirectUri}`);
    expect(judge("okta", { status: 400, text: "The 'redirect_uri' parameter must be a Login redirect URI" }).message).toContain(
      "Sign-in redirect URIs",
    );
  });

  test("an answer to another address that begins like ours is none to ours; an error that nobody named is shown without its marks", () => {
    expect(judge("okta", { status: 302, location: `${redirectUri}.evil.test/?error=login_required` }).message).not.toContain(
      "is known there",
    );
    expect(judge("okta", { status: 302, location: `${redirectUri}?error=%3Cb%3Ex` })).toMatchObject({ ok: false });
    expect(judge("okta", { status: 302, location: `${redirectUri}?error=%3Cb%3Ex` }).message).not.toContain("<");
    expect(judge("okta", { status: 302, location: `${redirectUri}?error=invalid_scope` })).toMatchObject({ name: "Scopes", ok: false });
  });

  test("a redirect URI that is refused where the request is handed over beforehand is told as such, whatever the error is called", () => {
    const refused = (cause: { error: string; error_description: string }) =>
      judgedRefusal(new ResponseBodyError("refused", { cause, response: new Response(null, { status: 400 }) }), {
        settings: { preset: "generic", clientId: "abc", clientAuthentication: "client_secret_basic" },
        redirectUri,
      }).message;
    const told = `it answers invalid_request: compare its redirect URIs with ${redirectUri}`;
    expect(refused({ error: "invalid_request", error_description: "Invalid parameter: redirect_uri" })).toBe(told);
    expect(refused({ error: "invalid_request", error_description: "The redirectUri abc is not registered" })).toBe(told);
    expect(refused({ error: "invalid_request", error_description: "missing nonce" })).toBe("it answers invalid_request");
  });
});
