import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { samlSettings } from "../../../connectors/saml/config.ts";
import { judged } from "../../../src/auth/saml/check-request.ts";
import { checkSaml } from "../../../src/auth/saml/check.ts";
import { consoleWords } from "../../../src/auth/saml/console-words.ts";
import type { LoadedConnection } from "../../../src/connections/open.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { keyRing } from "../../http/scim/door.ts";
import { encoded, newKeys, providerMetadata, responseXml, signed } from "./signer.ts";

const ENTRA = "https://sts.windows.net/11111111-2222-3333-4444-555555555555/";
const BASE = "https://rollcall.example.com";
const endpoints = {
  entityId: `${BASE}/saml/corp/metadata`,
  metadataUrl: `${BASE}/saml/corp/metadata`,
  acsUrl: `${BASE}/saml/corp/acs`,
  sloUrl: `${BASE}/saml/corp/slo`,
};
const idp = newKeys("idp");
let db: TestDatabase;
let server: Server;
let url: string;
let answers: Record<string, { status?: number; text: string }>;
beforeAll(async () => {
  db = await testDatabase();
  server = createServer((request, response) => {
    const { status = 200, text } = answers[new URL(request.url ?? "/", "http://x").pathname] ?? { status: 404, text: "" };
    response.writeHead(status).end(text);
  }).listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((closed) => server.close(closed));
  await db.drop();
});

const check = async (settings: Record<string, unknown>, { now = new Date("2027-03-01T12:00:00Z"), baseUrl = BASE } = {}) => {
  const connection = {
    loaded: {} as LoadedConnection,
    id: 1,
    name: "corp",
    settings: samlSettings.parse({ signRequests: false, clockSkewSeconds: 300, ...settings }),
  };
  const results = await checkSaml(testContext({ now: () => now }), { db, keyRing, baseUrl, connection });
  return new Map(results.map((each) => [each.name, each]));
};
const metadata = (more: Parameters<typeof providerMetadata>[1] = {}) => providerMetadata([idp.certificate], { sso: `${url}/sso`, ...more });

describe("G4: a SAML identity provider is checked", () => {
  test("its metadata, certificates, clock, and whether it answers", async () => {
    answers = { "/metadata": { text: metadata() }, "/sso": { text: "<form>Sign in</form>" } };
    const results = await check({ metadataUrl: `${url}/metadata` }, { now: new Date() });
    expect([...results.values()].filter(({ ok }) => !ok)).toEqual([]);
    expect(results.get("Certificates")?.message).toContain("RSA 2048 from 2026-01-01 until 2036-01-01");
    expect(results.get("Clock")?.ok).toBe(true);
    expect(results.get("Sign-in request")?.message).toContain("first sign-in");
  });

  test("metadata that are gone, of another, or signed by another; certificates that end; a clock that is wrong; an address of nobody's", async () => {
    answers = { "/metadata": { text: metadata() }, "/sso": { text: "" } };
    expect((await check({ metadataUrl: `${url}/nowhere` })).get("Metadata")).toMatchObject({ ok: false });
    expect((await check({ metadataUrl: `${url}/metadata`, entityId: "https://other.example" })).get("Metadata")).toMatchObject({
      ok: false,
    });
    const other = newKeys("other");
    answers = { "/metadata": { text: signed(metadata(), { key: idp.privateKey, element: "EntityDescriptor" }) } };
    expect((await check({ metadataUrl: `${url}/metadata`, metadataCertificate: other.certificate })).get("Metadata")?.ok).toBe(false);
    expect((await check({ metadata: metadata() }, { now: new Date("2035-12-15T00:00:00Z") })).get("Certificates")?.message).toContain(
      "in 17 days there is none",
    );
    const ended = await check({ metadata: metadata() }, { now: new Date("2036-02-01T00:00:00Z") });
    expect(ended.get("Certificates")).toMatchObject({ ok: false });
    expect((await check({ metadataUrl: `${url}/metadata` })).get("Clock")?.ok).toBe(false);
    const local = await check({ metadata: providerMetadata([idp.certificate]) }, { baseUrl: "http://localhost:8080" });
    expect(local.get("Our address")?.message).toContain("http.publicUrl");
  });

  test("what it says to a request that asks nobody is read as it is meant, and in the words of its console", async () => {
    const words = consoleWords(ENTRA);
    const page = (status: string) =>
      `<form action="${endpoints.acsUrl.replaceAll("/", "&#x2F;")}"><input type="hidden" name="SAMLResponse" value="${encoded(responseXml("", { status }))}"></form>`;
    const judge = (text: string, status = 200) => judged({ status, text }, { endpoints, words });
    expect(judge(page("NoPassive"))).toMatchObject({ ok: true, message: expect.stringContaining("it knows us") });
    expect(judge(page("NoPassive").replace("corp", "another")).message).not.toContain("it knows us");
    expect(judge(page("RequestDenied"))).toMatchObject({ ok: false });
    expect(judge("AADSTS700016: Application with identifier …").message).toContain(`Identifier (Entity ID) must be ${endpoints.entityId}`);
    expect(judge("AADSTS50011: …").message).toContain("Reply URL (Assertion Consumer Service URL)");
    expect(judge("Something", 500)).toMatchObject({ ok: false });
    expect(judge("<h2>Metadata not found</h2>").message).toContain("Metadata not found");
    expect(consoleWords("http://www.okta.com/exk1").acsUrl).toBe("Single sign-on URL");
    expect(consoleWords("https://accounts.google.com/o/saml2?idpid=C1").acsUrl).toBe("ACS URL");
    answers = { "/sso": { status: 403, text: "" } };
    expect((await check({ metadata: metadata() })).get("Sign-in request")).toMatchObject({ ok: false });
  });
});
