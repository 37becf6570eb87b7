import type { KeyObject } from "node:crypto";
import type { JWK } from "jose";
import type { OktaOptions } from "../../../connectors/okta/client.ts";
import { oktaSettings } from "../../../connectors/okta/config.ts";
import { openClock } from "../../counterparts/okta/clock.ts";
import { openFakeOkta, type FakeOkta } from "../../counterparts/okta/server.ts";
import { silentLog } from "../../helpers/database.ts";
import { rsaKey } from "../../helpers/rsa-key.ts";

export const API_TOKEN = "00TestTokenThatNobodyElseHas0000000000000";
export const CLIENT_ID = "0oaTestServiceApp0000";
const ALL_SCOPES = ["okta.users.read", "okta.users.manage", "okta.groups.read", "okta.groups.manage"];

/** An org that knows one API token. */
export async function openOrgServer(start?: Date): Promise<FakeOkta> {
  const fake = await openFakeOkta(openClock(start));
  fake.signIn.apiTokens.add(API_TOKEN);
  return fake;
}

/** Options to open the connector with: seven records a page, waits that turn the org's own clock instead. */
export function oktaOptions(
  fake: FakeOkta,
  settings: Record<string, unknown> = {},
  signal = new AbortController().signal,
): OktaOptions & { waited: number[] } {
  const waited: number[] = [];
  const credential = "clientId" in settings ? {} : { apiToken: API_TOKEN };
  return {
    settings: oktaSettings.parse({ url: fake.url, ...credential, pageSize: 7, rateLimitShare: 1, ...settings }),
    log: silentLog,
    signal,
    now: () => fake.clock.peek(),
    network: { allow: ["127.0.0.0/8"] },
    sleep: async (delayMs) => {
      waited.push(delayMs);
      fake.clock.advance(delayMs);
    },
    waited,
  };
}

const { privateKey, publicKey } = rsaKey("okta");

/** A service app with these scopes, and the settings that sign in as it. */
export function addServiceApp(
  fake: FakeOkta,
  {
    scopes = ALL_SCOPES,
    keys = { privateKey, publicKey },
    keyId = "key-1",
  }: { scopes?: readonly string[]; keys?: { privateKey: KeyObject; publicKey: KeyObject }; keyId?: string } = {},
): { clientId: string; privateKey: string; keyId: string } {
  const jwk = { ...(keys.publicKey.export({ format: "jwk" }) as JWK), kid: keyId, use: "sig" };
  fake.signIn.apps.push({ clientId: CLIENT_ID, keys: { keys: [jwk] }, scopes: new Set(scopes), requireDpop: false });
  return { clientId: CLIENT_ID, privateKey: keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string, keyId };
}

export function addPerson(fake: FakeOkta, login: string, profile: Record<string, unknown> = {}): string {
  return fake.org.addUser({ firstName: login, lastName: "Lab", email: `${login}@lab.test`, ...profile, login: `${login}@lab.test` }).id;
}

/** People p0, p1, …, some of them deactivated, suspended or staged. */
export function addPeople(fake: FakeOkta, count: number): string[] {
  const ids = Array.from({ length: count }, (_, number) => addPerson(fake, `p${number}`));
  for (const [number, id] of ids.entries()) {
    if (number % 8 === 3) fake.org.lifecycle(id, "deactivate");
    if (number % 8 === 5) fake.org.lifecycle(id, "suspend");
  }
  return ids;
}
