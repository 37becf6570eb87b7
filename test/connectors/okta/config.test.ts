import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { oktaSettings } from "../../../connectors/okta/config.ts";
import { linkTargets, pathWithin } from "../../../connectors/okta/link.ts";
import { endpointOf } from "../../../connectors/okta/rate-limits.ts";
import { groupRecord, isProblem, userRecord } from "../../../connectors/okta/records.ts";

const URL_OF_ORG = "https://example.okta.com";
const fieldOf = (settings: Record<string, unknown>) => {
  const parsed = oktaSettings.safeParse({ url: URL_OF_ORG, ...settings });
  return parsed.success ? "good" : parsed.error.issues.map(({ path }) => path.join(".")).join(" ");
};

describe("settings", () => {
  test("a service app or an API token, one of them whole", () => {
    const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = rsa.export({ type: "pkcs1", format: "pem" }) as string;
    const { privateKey: ec } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(fieldOf({ apiToken: "00abc" })).toBe("good");
    expect(fieldOf({ clientId: "0oa1", privateKey: pem })).toBe("good");
    expect(fieldOf({ clientId: "0oa1", privateKey: JSON.stringify(ec.export({ format: "jwk" })) })).toBe("good");
    for (const apiToken of ["SSWS 00abc", "00abc\n", "00abc\r\nx-admin: yes", "00äbc"]) expect(fieldOf({ apiToken })).toBe("apiToken");
    expect(fieldOf({})).toBe("clientId");
    expect(fieldOf({ clientId: "0oa1" })).toBe("privateKey");
    expect(fieldOf({ clientId: "0oa1", privateKey: pem, apiToken: "00abc" })).toBe("apiToken");
    expect(fieldOf({ clientId: "0oa1", privateKey: "-----BEGIN PRIVATE KEY-----" })).toBe("privateKey");
    const { privateKey: ed } = generateKeyPairSync("ed25519");
    expect(fieldOf({ clientId: "0oa1", privateKey: ed.export({ type: "pkcs8", format: "pem" }) as string })).toBe("privateKey");
  });

  test.each([
    ["http://example.okta.com", "url"],
    ["https://example-admin.okta.com", "url"],
    ["https://example.okta.com/api/v1", "url"],
    ["https://someone@example.okta.com", "url"],
    ["ftp://example.okta.com", "url"],
    ["https://id.example.com", "good"],
    ["https://example.okta.com/", "good"],
  ])("%s: %s", (url, expected) => {
    expect(fieldOf({ apiToken: "00abc", url })).toBe(expected);
  });
});

describe("Link headers", () => {
  test("one header a link, several in one, other parameters, other relations", () => {
    const self = '<https://o.okta.com/api/v1/users?limit=2>; rel="self"';
    const next = '<https://o.okta.com/api/v1/users?after=1,2%3E&limit=2>; title="a; rel=self"; rel=next';
    for (const header of [[self, next], `${self}, ${next}`]) {
      expect(Object.fromEntries(linkTargets(header))).toEqual({
        self: "https://o.okta.com/api/v1/users?limit=2",
        next: "https://o.okta.com/api/v1/users?after=1,2%3E&limit=2",
      });
    }
    expect(linkTargets(undefined).size).toBe(0);
  });

  test("no link leads the credential to another host", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.webUrl(), fc.string(), fc.constantFrom("//evil.example/x", "https://o.okta.com@evil.example/", "javascript:1")),
        (link) => {
          const path = (() => {
            try {
              return pathWithin(link, { origin: "https://o.okta.com" });
            } catch {
              return undefined;
            }
          })();
          if (path !== undefined) expect(new URL(`https://o.okta.com${path}`).origin).toBe("https://o.okta.com");
        },
      ),
    );
  });
});

test("limits are kept by endpoint, whoever is asked for", () => {
  expect(endpointOf("GET", "/api/v1/users?limit=200")).toBe("GET /api/v1/users");
  expect(endpointOf("GET", "/api/v1/groups/00g1/users?after=x")).toBe("GET /api/v1/groups/{id}/users");
  expect(endpointOf("DELETE", "/api/v1/groups/00g1/users/00u1")).toBe("DELETE /api/v1/groups/{id}/users/{id}");
  expect(endpointOf("POST", "/api/v1/users/00u1/lifecycle/suspend")).toBe("POST /api/v1/users/{id}/lifecycle/suspend");
});

describe("records", () => {
  test("an attribute of a profile never stands in for Okta's own", () => {
    const read = userRecord({ id: "00u1", status: "SUSPENDED", profile: { status: "ACTIVE", id: "x", tags: ["a", 1], none: null } });
    expect(isProblem(read) ? read : read.attributes).toEqual({
      ...{ id: "00u1", status: "SUSPENDED", "profile.status": "ACTIVE", "profile.id": "x", tags: ["a", "1"] },
    });
  });

  test("who is being deactivated counts as deactivated, whatever the status still says", () => {
    const read = userRecord({ id: "00u1", status: "ACTIVE", transitioningToStatus: "DEPROVISIONED", profile: {} });
    expect(isProblem(read) ? read : read.attributes["status"]).toBe("DEPROVISIONED");
  });

  test("whatever Okta sends is a record or a problem, never thrown at", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("id", "status", "type", "profile", "lastUpdated", "x"), fc.anything()), (json) => {
        for (const read of [userRecord(json), groupRecord(json)]) expect(typeof read.nativeId).toBe("string");
      }),
    );
  });
});
