import { connectionDefinitionSchema } from "../../../src/connections/definition.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { keyRing } from "../scim/door.ts";
import type { Answer, Browser } from "./browser.ts";
import type { LoginDoor } from "./login-door.ts";

/** What the application believes to be called; a browser there is one that asks the test's own port. */
export const BASE = "http://localhost:8080";

export const MAPPING = {
  user: {
    attributes: {
      userName: "has(account.preferred_username) ? account.preferred_username : account.sub",
      "emails.work": "account.email",
      displayName: "account.name",
      "name.givenName": "account.given_name",
      "name.familyName": "account.family_name",
      title: "account.title",
    },
  },
  match: ["emails"],
};

export interface OidcConnectionOptions {
  name?: string;
  settings: Record<string, unknown>;
  policy?: Record<string, unknown>;
  mapping?: Record<string, unknown>;
}

/** Adds a connection by which people sign in; returns its id. */
export async function addOidc(
  door: LoginDoor,
  { name = "sso", settings, policy = { signIn: { create: true } }, mapping = {} }: OidcConnectionOptions,
): Promise<number> {
  const definition = connectionDefinitionSchema.parse({
    name,
    connector: "oidc",
    settings: { clientId: "rollcall", clientSecret: "a-secret-of-32-characters-or-more", ...settings },
    mapping: { ...MAPPING, ...mapping },
    policy,
  });
  return (await door.work((work) => addConnection(work, { definition, keyRing }))).id;
}

/** Goes to the provider, as far as our side leads; where that is. */
export async function towards(browser: Browser, { name = "sso", returnTo = "/account" } = {}): Promise<string> {
  return addressIn(await browser.get(`/oidc/${name}/login?return_to=${encodeURIComponent(returnTo)}`));
}

/** Where a page leads that goes on by itself. */
export function addressIn({ headers, status, text }: Answer): string {
  const address = /^0; url=(.+)$/.exec(headers.get("refresh") ?? "")?.[1];
  if (address === undefined) throw new Error(`this page leads nowhere: ${status} ${text.slice(0, 500)}`);
  return address;
}

/** Comes back from the provider, and follows to where that leads. */
export async function back(browser: Browser, query: URLSearchParams, { name = "sso" } = {}): Promise<Answer> {
  return browser.follow(await browser.get(`/oidc/${name}/callback?${query.toString()}`, { "Sec-Fetch-Site": "cross-site" }));
}
