import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { createOauthClient, listOauthClients, revokeOauthClient } from "../../../src/auth/oauth-clients.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "../scim/door.ts";

let clock = new Date("2026-11-01T12:00:00Z").getTime();
const now = () => new Date(clock);
let door: Door;
let connectionId: number;
beforeAll(async () => {
  door = await openDoor({ now });
  ({ id: connectionId } = await inTransaction(door.db, testContext(), (work) =>
    addConnection(work, { definition: { name: "app", connector: "scim-inbound" }, keyRing }),
  ));
});
afterAll(() => door.close());

const makeClient = (name: string, more: { expiresAt?: Date } = {}) =>
  inTransaction(door.db, testContext({ now }), (work) => createOauthClient(work, { name, connectionId, ...more }));
const ask = (form: Record<string, string> | string, { basic }: { basic?: [string, string] } = {}) => {
  const call = supertest(door.app).post("/oauth/token").type("form");
  if (basic) call.set("Authorization", `Basic ${Buffer.from(basic.map(encodeURIComponent).join(":")).toString("base64")}`);
  return call.send(form);
};
const grant = { grant_type: "client_credentials" };
const withForm = ({ clientId, clientSecret }: { clientId: string; clientSecret: string }) => ({
  ...grant,
  client_id: clientId,
  client_secret: clientSecret,
});
const usersWith = async (token: string) => (await door.request("GET", "/scim/app/v2/Users", { token })).status;

describe("G5: the token endpoint (RFC 6749 section 4.4)", () => {
  test("G5: a client's id and secret, in the form or the header, fetch a token that opens its connection's door for an hour", async () => {
    const client = await makeClient("nightly");
    for (const answer of [
      await ask(withForm(client)),
      await ask(grant, { basic: [client.clientId, client.clientSecret] }),
      await ask({ ...grant, scope: "scim" }, { basic: [client.clientId, client.clientSecret] }),
    ]) {
      expect([answer.status, answer.body.token_type, answer.body.expires_in, answer.headers["cache-control"]]).toEqual([
        200,
        "Bearer",
        3600,
        "no-store",
      ]);
      expect(await usersWith(answer.body.access_token)).toBe(200);
    }
    const { access_token: token } = (await ask(withForm(client))).body;
    clock += 3600_000;
    expect(await usersWith(token)).toBe(401);
  });

  test("G5: an expired token's row goes when the client comes again", async () => {
    const client = await makeClient("tidy");
    await ask(withForm(client));
    clock += 3601_000;
    await ask(withForm(client));
    const { rows } = await door.db.pool.query("select count(*)::int as count from tokens where oauth_client_id = $1", [client.clientId]);
    expect(rows).toEqual([{ count: 1 }]);
  });

  test("G5: revoking a client ends its tokens, too; a token of a client that ends sooner ends with it", async () => {
    const client = await makeClient("leaver");
    const { access_token: token } = (await ask(withForm(client))).body;
    const revoked = await inTransaction(door.db, testContext({ now }), (work) =>
      revokeOauthClient(work, { key: "leaver", reason: "gone" }),
    );
    expect(revoked).toEqual({ clientId: client.clientId, tokens: 1 });
    expect([await usersWith(token), (await ask(withForm(client))).status]).toEqual([401, 401]);
    const short = await makeClient("short", { expiresAt: new Date(clock + 60_000) });
    expect((await ask(withForm(short))).body.expires_in).toBe(60);
    clock += 60_000;
    expect((await ask(withForm(short))).status).toBe(401);
    const states = (await listOauthClients(door.db.pool, { now: now() })).map(({ name, state }) => [name, state]);
    expect(states).toEqual(
      expect.arrayContaining([
        ["leaver", "revoked"],
        ["short", "expired"],
        ["nightly", "live"],
      ]),
    );
  });

  test("G5: wrong ids and secrets are refused alike; nothing of a secret is kept", async () => {
    const client = await makeClient("strict");
    const answers = [
      await ask(withForm({ ...client, clientSecret: `${client.clientSecret}x` })),
      await ask(withForm({ ...client, clientId: "rcc_nobody" })),
      await ask(grant, { basic: [client.clientId, "wrong"] }),
    ];
    for (const { status, body, headers } of answers)
      expect([status, body.error, headers["www-authenticate"]]).toEqual([401, "invalid_client", expect.stringMatching(/^Basic/)]);
    expect(new Set(answers.map(({ body }) => body.error_description)).size).toBe(1);
    const { rows } = await door.db.pool.query(
      "select (select string_agg(o::text, '') from oauth_clients o) || (select string_agg(e::text, '') from audit_events e) as text",
    );
    expect(rows[0].text).not.toContain(client.clientSecret.slice(4));
  });

  test.each<[string, Record<string, string> | string, number, string]>([
    ["no grant", {}, 400, "invalid_request"],
    ["another grant", { grant_type: "password" }, 400, "unsupported_grant_type"],
    ["another scope", { ...grant, scope: "scim admin" }, 400, "invalid_scope"],
    ["no credentials", grant, 401, "invalid_client"],
    ["a field twice", "grant_type=client_credentials&client_id=a&client_id=b", 400, "invalid_request"],
    ["an inherited name", "__proto__=x&grant_type=client_credentials", 401, "invalid_client"],
    ["a long form", `grant_type=client_credentials&x=${"y".repeat(9000)}`, 413, "invalid_request"],
  ])("G5: %s is refused in OAuth's form", async (_title, form, status, error) => {
    const answer = await ask(form);
    expect([answer.status, answer.body.error]).toEqual([status, error]);
  });

  test("G5: an id that no database takes is a wrong one", async () => {
    for (const answer of [await ask({ ...grant, client_id: "a\0", client_secret: "b" }), await ask(grant, { basic: ["a\0", "b"] })])
      expect([answer.status, answer.body.error]).toEqual([401, "invalid_client"]);
  });

  test("G5: other methods are told which one works; who asks too often is told to keep the token", async () => {
    const get = await supertest(door.app).get("/oauth/token");
    expect([get.status, get.headers["allow"]]).toEqual([405, "POST"]);
    const client = await makeClient("forgetful");
    const guesses = await Promise.all(Array.from({ length: 70 }, (_, at) => ask(withForm({ ...client, clientSecret: `guess-${at}` }))));
    expect(new Set(guesses.map(({ status }) => status))).toEqual(new Set([401]));
    const answers = [];
    for (let asked = 0; asked < 61; asked += 1) answers.push(await ask(withForm(client)));
    expect(answers.map(({ status }) => status).indexOf(429)).toBe(60);
    expect(answers[60]?.headers["retry-after"]).toBe("1");
  });
});
