import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { prepareNextKey, useNextKey } from "../../../src/auth/saml/own-keys.ts";
import { refreshSamlMetadata } from "../../../src/auth/saml/refresh-job.ts";
import { newKeys, providerMetadata, signed } from "../../auth/saml/signer.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addSaml, answerOf, begin, ownMetadataOf, post } from "./saml-door.ts";

const idp = newKeys("idp");
const later = newKeys("later");
let door: LoginDoor;
const now = () => door.clock.now();

beforeAll(async () => {
  door = await openLogin();
  await door.newPerson({ userName: "newcomer" });
});
afterAll(() => door?.close());

describe("metadata", () => {
  let server: Server;
  let metadata = "";
  let url = "";
  beforeAll(async () => {
    server = createServer((_request, response) => void response.end(metadata)).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
  });
  afterAll(() => void server.close());

  const ctx = () => testContext({ now: door.clock.now });
  const answer = async (name: string, key = idp) => {
    const [browser, to] = [door.browser(), await ownMetadataOf(door, name)];
    const { id } = await begin(browser, name);
    return (await post(browser, to.acsUrl, { SAMLResponse: answerOf({ key, own: to, now: now(), nameId: "newcomer", inResponseTo: id }) }))
      .status;
  };

  test("G4: read from their address, and again, so that the identity provider may change its certificate", async () => {
    metadata = providerMetadata([idp.certificate]);
    const connectionId = await addSaml(door, {
      name: "by-url",
      settings: { metadataUrl: url },
      policy: { signIn: { create: true, link: true } },
    });
    expect(await answer("by-url", later)).toBe(403);
    expect(await answer("by-url")).toBe(303);
    metadata = `<?xml version="1.0"?><!-- both, for a while -->${providerMetadata([idp.certificate, later.certificate])}`;
    await refreshSamlMetadata(ctx(), { db: door.db, keyRing, connectionId });
    const { rows } = await door.db.pool.query("select data from audit_events where name = 'connection.provider_changed'");
    expect(rows).toEqual([{ data: { name: "by-url", changed: ["certificates"] } }]);
    expect(await answer("by-url", later)).toBe(303);
    // What can't be read changes nothing of what is known.
    metadata = "<html>maintenance</html>";
    await expect(refreshSamlMetadata(ctx(), { db: door.db, keyRing, connectionId })).rejects.toMatchObject({ code: "unavailable" });
    const known = await door.db.pool.query(
      "select problem, jsonb_array_length(provider -> 'certificates') as certificates from saml_providers where connection_id = $1",
      [connectionId],
    );
    expect(known.rows).toEqual([{ problem: expect.stringMatching(/metadata/), certificates: 2 }]);
  });

  test("a certificate that is pinned must have signed them; those of another, or past their end, are refused", async () => {
    metadata = providerMetadata([idp.certificate]);
    const connectionId = await addSaml(door, { name: "pinned", settings: { metadataUrl: url, metadataCertificate: later.certificate } });
    const asked = async () => {
      await door.db.pool.query("update saml_providers set tried_at = null");
      return (await door.browser().get("/saml/pinned/login")).status;
    };
    expect(await asked()).toBe(503);
    metadata = signed(providerMetadata([idp.certificate]), { key: idp.privateKey, element: "EntityDescriptor" });
    expect(await asked()).toBe(503);
    metadata = signed(providerMetadata([idp.certificate]), { key: later.privateKey, element: "EntityDescriptor" });
    expect(await asked()).toBe(200);
    // Poisoned ones leave what is known: signed by another, changed under the signature, or wrapped around what was signed.
    const [believed, attacker] = [metadata, newKeys("attacker")];
    const evil = providerMetadata([attacker.certificate]);
    for (const poisoned of [
      signed(evil, { key: attacker.privateKey, element: "EntityDescriptor" }),
      believed.replace("https://idp.example.org/sso", "https://evil.example.org/sso"),
      `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_w">${evil.replace('ID="_m"', 'ID="_e"')}${believed}</EntitiesDescriptor>`,
      believed.replace("</EntityDescriptor>", `${evil.replace('ID="_m"', 'ID="_e"')}</EntityDescriptor>`),
    ]) {
      metadata = poisoned;
      await expect(refreshSamlMetadata(ctx(), { db: door.db, keyRing, connectionId })).rejects.toMatchObject({ code: "unavailable" });
    }
    const known = await door.db.pool.query(
      "select provider -> 'certificates' as certificates from saml_providers where connection_id = $1",
      [connectionId],
    );
    expect(known.rows).toEqual([{ certificates: [idp.certificate] }]);
    await addSaml(door, { name: "pinned", settings: { metadataUrl: url, entityId: "https://other.example.org" } });
    expect(await asked()).toBe(503);
    metadata = providerMetadata([idp.certificate], { entityId: "https://other.example.org", more: ' validUntil="2020-01-01T00:00:00Z"' });
    expect(await asked()).toBe(503);
    metadata = providerMetadata([idp.certificate], { entityId: "https://other.example.org", sso: "http://plain.example.org/sso" });
    expect(await asked()).toBe(503);
  });

  test("ours hold the key in use and, during a roll-over, the next one; what is signed changes when it takes over", async () => {
    const name = "rolling";
    const id = await addSaml(door, { name, settings: { metadata: providerMetadata([idp.certificate]), signMetadata: true } });
    const [first] = (await ownMetadataOf(door, name)).certificates;
    await door.work((work) => prepareNextKey(work, { connection: { id, name, settings: { keyType: "rsa" } }, keyRing }));
    const both = await ownMetadataOf(door, name);
    expect(both.certificates).toHaveLength(2);
    expect(both.certificates[0]).toBe(first);
    expect(both.xml).toContain("<ds:Signature");
    await door.work((work) => useNextKey(work, { connection: { id, name } }));
    expect((await ownMetadataOf(door, name)).certificates).toEqual([both.certificates[1]]);
    await expect(door.work((work) => useNextKey(work, { connection: { id, name } }))).rejects.toMatchObject({ code: "conflict" });
  });
});
