import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { listQuirks, quirkSentence } from "../../../../src/connections/quirks.ts";
import { silentLog } from "../../../helpers/database.ts";
import { createQuirkLog } from "../../../../src/http/scim/dialects/quirk-log.ts";
import { until } from "../../../jobs/waiting.ts";
import { openDoor, type Door } from "../door.ts";
import { clientOf, ENTERPRISE, GROUP, PATCH_OP, USER, type Client } from "./client.ts";

const NOON = new Date("2026-11-01T12:00:00Z");

let door: Door;
let clients: Record<"entra" | "okta" | "sap" | "generic" | "auto", Client>;
beforeAll(async () => {
  door = await openDoor({ now: () => NOON });
  const made = async (dialect: keyof typeof clients) => clientOf(door, { name: dialect, settings: { dialect } });
  clients = {
    entra: await made("entra"),
    okta: await made("okta"),
    sap: await made("sap"),
    generic: await made("generic"),
    auto: await made("auto"),
  };
});
afterAll(() => door.close());

const name = () => `u${randomBytes(5).toString("hex")}`;
const patch = (...Operations: unknown[]) => ({ schemas: [PATCH_OP], Operations });
const sentences = async ({ connectionId }: Client) => (await listQuirks(door.db.pool, { connectionId })).map(quirkSentence);

/** What is counted is written now and then; the test waits for it. */
async function counted(client: Client, sentence: string): Promise<void> {
  await until(
    () => sentences(client),
    (said) => said.includes(sentence),
  );
}

describe("B10: a chosen profile is what is understood", () => {
  test.each([
    ["active as a string", { active: "False" }, "active", '"False"'],
    ["a plain manager", { "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { manager: "m-1" } }, "manager", '"m-1"'],
    ["e-mails as one object", { emails: { value: "a@example.com" } }, "emails", "a@example.com"],
  ])(
    "B10: Okta never sends %s: refused with the attribute and the value, where Entra is understood",
    async (_title, sent, attribute, value) => {
      const body = { schemas: [USER], userName: name(), ...sent };
      const refused = await clients.okta.send("POST", "/Users", body);
      expect([refused.status, refused.body.scimType]).toEqual([400, "invalidValue"]);
      expect(refused.body.detail).toContain(attribute);
      expect(refused.body.detail).toContain(value);
      expect((await clients.entra.send("POST", "/Users", body)).status).toBe(201);
    },
  );

  test("B10: capitals in op are Entra's alone", async () => {
    const operation = patch({ op: "Replace", path: "title", value: "T" });
    for (const [client, status] of [
      [clients.okta, 400],
      [clients.sap, 400],
      [clients.entra, 200],
      [clients.generic, 200],
      [clients.auto, 200],
    ] as const) {
      const id = await client.person(name());
      const answer = await client.send("PATCH", `/Users/${id}`, operation);
      expect([client.name, answer.status, answer.body.scimType]).toEqual([
        client.name,
        status,
        status === 400 ? "invalidSyntax" : undefined,
      ]);
    }
  });

  test("B10: a patch of no operation changes nothing for Entra, whose validator sends it, and is refused for Okta", async () => {
    for (const [client, status] of [
      [clients.okta, 400],
      [clients.entra, 200],
      [clients.auto, 200],
    ] as const) {
      const id = await client.person(name());
      const before = await client.send("GET", `/Users/${id}`);
      const answer = await client.send("PATCH", `/Users/${id}`, patch());
      expect([client.name, answer.status, answer.body.scimType]).toEqual([
        client.name,
        status,
        status === 400 ? "invalidSyntax" : undefined,
      ]);
      expect((await client.send("GET", `/Users/${id}`)).body).toEqual(before.body);
    }
  });

  test("B10: what the RFCs allow is allowed whoever sends it", async () => {
    for (const client of Object.values(clients)) {
      const answer = await client.send("POST", "/Users", {
        SCHEMAS: [USER.toUpperCase()],
        USERNAME: name(),
        active: true,
        title: null,
        emails: [{ VALUE: "a@example.com", type: "work", primary: true }, { value: "b@example.com" }],
      });
      expect([client.name, answer.status, answer.status < 300 ? "" : answer.text]).toEqual([client.name, 201, ""]);
    }
  });

  test("B10: a long value is not thrown back whole", async () => {
    const { body } = await clients.okta.send("POST", "/Users", { schemas: [USER], userName: name(), emails: { value: "x".repeat(5000) } });
    expect(body.detail.length).toBeLessThan(200);
  });
});

describe("B10: quirks are counted and told", () => {
  test("B10: Entra sent `active` as the string False so many times", async () => {
    const { entra } = clients;
    const id = await entra.person(name(), { active: true });
    for (let times = 0; times < 3; times += 1) {
      await entra.send("PATCH", `/Users/${id}`, patch({ op: "Replace", path: "active", value: "False" }));
      await entra.send("PATCH", `/Users/${id}`, patch({ op: "Replace", path: "active", value: "True" }));
    }
    await counted(entra, 'Entra sent `active` as the string "True" 3 times');
    const lines = await listQuirks(door.db.pool, { connectionId: entra.connectionId });
    expect(lines.find(({ quirk, sample }) => quirk === "op-case" && sample === '"Replace"')).toMatchObject({
      attribute: "op",
      dialect: "entra",
      lastSeen: NOON,
    });
  });

  test("B10: no value of a person is kept", async () => {
    const secret = `secret${randomBytes(4).toString("hex")}`;
    await clients.entra.send("POST", "/Users", {
      schemas: [USER, `urn:${secret}`],
      userName: name(),
      title: [secret],
      emails: secret,
      [secret]: secret,
      "name.givenName": secret,
    });
    await counted(clients.entra, "Entra sent a plain value for the complex `emails` once");
    const { rows } = await door.db.pool.query("select string_agg(q::text, ' ') as text from scim_quirks q");
    expect(rows[0].text).not.toContain(secret);
  });

  test("B10: a client that names itself is recognised; one that gives itself away, too", async () => {
    const { auto } = clients;
    const body = () => ({ schemas: [USER], userName: name(), active: "True" });
    await auto.send("POST", "/Users", body(), { "User-Agent": "Okta SCIM Client 1.0.0" });
    await auto.send("POST", "/Users", body(), { "User-Agent": "curl/8" });
    const id = await auto.person(name());
    await auto.send("PATCH", `/Users/${id}`, patch({ op: "Replace", path: "active", value: "False" }));
    await counted(auto, 'Okta sent `active` as the string "True" once');
    await counted(auto, 'The client sent `active` as the string "True" once');
    await counted(auto, 'Entra sent `active` as the string "False" once');
  });

  test("B10: counts that can't be written are kept and tried again", async () => {
    const { connectionId } = clients.sap;
    const log = createQuirkLog({ db: door.db, log: silentLog, now: () => NOON });
    const note = () => log.note({ connectionId, dialect: "sap", quirk: "reference-only", attribute: "members", sample: "" });
    note();
    await door.db.pool.query("alter table scim_quirks rename to scim_quirks_away");
    await log.flush();
    note();
    await door.db.pool.query("alter table scim_quirks_away rename to scim_quirks");
    await log.flush();
    await log.flush();
    expect(await sentences(clients.sap)).toContain("SAP sent `members` with $ref and without value 2 times");
  });

  test("B10: operations of a bulk request are counted as single ones are", async () => {
    const { generic } = clients;
    const answer = await generic.send("POST", "/Bulk", {
      schemas: ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
      Operations: [{ method: "POST", path: "/Groups", bulkId: "g", data: { schemas: GROUP, displayName: name() } }],
    });
    expect(answer.body.Operations[0].status).toBe("201");
    await counted(generic, "The client sent `schemas` as a single string once");
  });
});

describe("B10: members who are not here", () => {
  const STRANGER = "11111111-1111-4111-8111-111111111111";
  const membersOf = async (client: Client, id: string) =>
    ((await client.send("GET", `/Groups/${id}`)).body.members ?? []).map(({ value }: { value: string }) => value);

  test("B10: are refused by name, and nobody comes; where the connection says so they are passed over, counted, and everybody else comes", async () => {
    const skipping = await clientOf(door, { name: "skipping", settings: { dialect: "okta", unknownMembers: "skip" } });
    for (const [client, status] of [
      [clients.okta, 400],
      [skipping, 204],
    ] as const) {
      const [ann, bob] = [await client.person(name()), await client.person(name())];
      const gone = await client.person(name());
      expect((await client.send("DELETE", `/Users/${gone}`)).status).toBe(204);
      const group = await client.group(name(), [ann]);
      const add = patch({ op: "add", path: "members", value: [{ value: STRANGER }, { value: bob }, { value: gone }] });
      expect([client.name, (await client.send("PATCH", `/Groups/${group}`, add)).status]).toEqual([client.name, status]);
      expect((await membersOf(client, group)).sort()).toEqual((status === 400 ? [ann] : [ann, bob]).sort());
    }
    await counted(skipping, "Okta named members who are not here once");
  });

  test("B10: are passed over in whole lists, too, and in new groups; whom the client may not see is such a one", async () => {
    const own = await clientOf(door, { name: "own-skipping", settings: { unknownMembers: "skip", visibility: "own" } });
    const [mine, others] = [await own.person(name()), await clients.generic.person(name())];
    const made = await own.send("POST", "/Groups", {
      displayName: name(),
      members: [{ value: others }, { value: "no-id" }, { value: mine }, { value: STRANGER }],
    });
    expect([made.status, await membersOf(own, made.body.id)]).toEqual([201, [mine]]);
    const put = await own.send("PUT", `/Groups/${made.body.id}`, { displayName: name(), members: [{ value: others }] });
    expect([put.status, await membersOf(own, made.body.id)]).toEqual([200, []]);
    const replaced = await own.send(
      "PATCH",
      `/Groups/${made.body.id}`,
      patch({ op: "replace", path: "members", value: [{ value: STRANGER }, { value: mine }] }),
    );
    expect([replaced.status, await membersOf(own, made.body.id)]).toEqual([204, [mine]]);
  });
});

describe("B10: filters and URLs as clients send them", () => {
  const found = async (client: Client, query: string) => {
    const answer = await client.send("GET", `/Users?${query}`);
    return answer.status === 200 ? (answer.body.totalResults as number) : `${answer.status} ${answer.body.scimType}`;
  };

  test("B10: a plus sign in an address is a plus sign when spaces are encoded otherwise", async () => {
    const userName = `${name()}+test@example.com`;
    await clients.auto.person(userName);
    expect(await found(clients.auto, `filter=userName%20eq%20%22${userName}%22`)).toBe(1);
    expect(await found(clients.auto, `filter=userName+eq+%22${userName.replace("+", "%2B")}%22`)).toBe(1);
    expect(await found(clients.auto, new URLSearchParams({ filter: `userName eq "${userName}"` }).toString())).toBe(1);
  });

  test("B10: a backslash of a Windows name, and a filter encoded twice", async () => {
    const userName = `DOMAIN\\${name()}`;
    // The u of name() would begin an escape of JSON.
    const plain = userName.replace("\\u", "\\x");
    await clients.auto.person(plain);
    expect(await found(clients.auto, `filter=${encodeURIComponent(`userName eq "${plain}"`)}`)).toBe(1);
    expect(await found(clients.auto, `filter=${encodeURIComponent(`userName eq ${JSON.stringify(plain)}`)}`)).toBe(1);
    expect(await found(clients.auto, `filter=${encodeURIComponent(encodeURIComponent(`userName eq ${JSON.stringify(plain)}`))}`)).toBe(1);
  });

  test("B10: values without double quotes are for those who are known to send them; for all others the grammar holds", async () => {
    const userName = name();
    for (const client of [clients.entra, clients.sap, clients.auto]) await client.person(`${client.name}-${userName}`);
    const bare = (client: Client) => found(client, `filter=${encodeURIComponent(`userName eq ${client.name}-${userName}`)}`);
    const single = (client: Client) =>
      found(client, `filter=${encodeURIComponent(`userName eq '${client.name}-${userName}' and active eq "True"`)}`);
    expect([await bare(clients.entra), await bare(clients.auto)]).toEqual([1, "400 invalidFilter"]);
    expect([await single(clients.sap), await single(clients.auto)]).toEqual([1, "400 invalidFilter"]);
  });

  test("B10: a boolean in quotes, in a filter and in a path", async () => {
    const userName = name();
    await clients.auto.person(userName, { active: true });
    expect(await found(clients.auto, `filter=${encodeURIComponent(`userName eq "${userName}" and active eq "True"`)}`)).toBe(1);
    expect(await found(clients.okta, `filter=${encodeURIComponent('active eq "True"')}`)).toBe("400 invalidValue");
  });

  test("B10: doubled and trailing slashes, and a flag of Entra's in the query", async () => {
    const { auto } = clients;
    const id = await auto.person(name());
    for (const path of [`//Users//${id}`, `/Users/${id}/`, `/users/${id}`, `/Users/${id}?aadOptscim062020`]) {
      const answer = await auto.send("GET", path);
      expect([path, answer.status, answer.body.id]).toEqual([path, 200, id]);
      expect(answer.body.meta.location).toMatch(new RegExp(`^http://127[^/]*/scim/auto/v2/Users/${id}$`));
    }
    expect((await auto.send("GET", "//Users/?filter=userName%20pr&count=1")).body.itemsPerPage).toBe(1);
    await counted(auto, "The client sent a URL with doubled slashes 2 times");
  });

  test("B10: Entra's validator looks for externalId in /Schemas, where RFC 7643 lets it stand and needs it not: only Entra is shown it", async () => {
    const listed = async (client: Client, urn: string, agent = "other/1.0") => {
      const { body } = await client.send("GET", "/Schemas", undefined, { "User-Agent": agent });
      const one = await client.send("GET", `/Schemas/${urn}`, undefined, { "User-Agent": agent });
      const all = body.Resources.find(({ id }: { id: string }) => id === urn);
      expect(one.body).toEqual(all);
      return all.attributes.filter((attribute: { name: string }) => attribute.name === "externalId");
    };
    const shown = [
      expect.objectContaining({ type: "string", multiValued: false, required: false, caseExact: true, mutability: "readWrite" }),
    ];
    for (const urn of [USER, GROUP]) {
      expect(await listed(clients.entra, urn)).toEqual(shown);
      expect(await listed(clients.auto, urn, "azure-logic-apps/1.0 (workflow 08585; version 08584)")).toEqual(shown);
      expect(await listed(clients.auto, urn)).toEqual([]);
      expect(await listed(clients.okta, urn)).toEqual([]);
    }
    expect(await listed(clients.entra, ENTERPRISE)).toEqual([]);
  });
});
