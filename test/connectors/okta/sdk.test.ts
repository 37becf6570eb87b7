import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import okta from "@okta/okta-sdk-nodejs";
import type { FakeOkta } from "../../counterparts/okta/server.ts";
import { addPeople, addServiceApp, API_TOKEN, openOrgServer } from "./opened.ts";

/** The SDK's own switch for tests, which its types leave out. */
const OVER_HTTP = { testing: { disableHttpsCheck: true } };

/** The stand-in of Okta answers Okta's own client as Okta does: otherwise what we test against would be of our own making. */
describe("Okta's SDK against the stand-in", () => {
  let fake: FakeOkta;
  beforeAll(async () => {
    // The SDK signs its assertions by the time of day.
    fake = await openOrgServer(new Date());
    addPeople(fake, 25);
  });
  afterAll(() => fake.close());

  const withToken = () => new okta.Client({ orgUrl: fake.url, token: API_TOKEN, ...OVER_HTTP });
  const withApp = () => {
    const { clientId, privateKey, keyId } = addServiceApp(fake);
    return new okta.Client({
      ...{ orgUrl: fake.url, authorizationMode: "PrivateKey", clientId, privateKey, keyId },
      ...{ scopes: ["okta.users.manage", "okta.groups.manage"], ...OVER_HTTP },
    });
  };

  test.each([
    ["an API token", withToken],
    ["a service app's private key", withApp],
  ])("pages through people with %s: the plain list leaves the deactivated out, a filter does not", async (_, open) => {
    const client = open();
    const idsOf = async (query: { filter?: string; limit: number }) => {
      const ids: string[] = [];
      for await (const user of await client.userApi.listUsers(query)) if (user?.id) ids.push(user.id);
      return ids;
    };
    const all = [...fake.org.users.values()];
    expect(await idsOf({ limit: 4 })).toEqual(all.filter(({ status }) => status !== "DEPROVISIONED").map(({ id }) => id));
    expect(await idsOf({ limit: 4, filter: 'lastUpdated ge "1970-01-01T00:00:00.000Z"' })).toEqual(all.map(({ id }) => id));
  });

  test("makes, changes, suspends, deactivates and deletes somebody", async () => {
    const client = withToken();
    const profile = { firstName: "Ada", lastName: "Lab", email: "ada@lab.test", login: "ada@lab.test" };
    const { id = "" } = await client.userApi.createUser({ body: { profile } });
    await client.userApi.updateUser({ userId: id, user: { profile: { title: "Engineer" } } });
    expect((await client.userApi.getUser({ userId: id })).profile).toMatchObject({ login: "ada@lab.test", title: "Engineer" });
    fake.org.signIn(id);
    await client.userApi.suspendUser({ userId: id });
    expect((await client.userApi.getUser({ userId: id })).status).toBe("SUSPENDED");
    await client.userApi.unsuspendUser({ userId: id });
    await client.userApi.revokeUserSessions({ userId: id, oauthTokens: true });
    expect(fake.org.access.get(id)).toEqual({ sessions: 0, tokens: 0 });
    await client.userApi.deactivateUser({ userId: id });
    expect((await client.userApi.getUser({ userId: id })).status).toBe("DEPROVISIONED");
    await client.userApi.deleteUser({ userId: id });
    await expect(client.userApi.getUser({ userId: id })).rejects.toMatchObject({ status: 404, errorCode: "E0000007" });
  });

  test("makes a group, pages through its members, takes one out and deletes it", async () => {
    const client = withToken();
    const group = await client.groupApi.createGroup({ group: { profile: { name: "Staff", description: "All staff" } } });
    const groupId = group.id ?? "";
    const people = [...fake.org.users.keys()].slice(0, 9);
    for (const userId of people) await client.groupApi.assignUserToGroup({ groupId, userId });
    await client.groupApi.unassignUserFromGroup({ groupId, userId: people[0] ?? "" });
    const members: string[] = [];
    for await (const user of await client.groupApi.listGroupUsers({ groupId, limit: 3 })) if (user?.id) members.push(user.id);
    expect(members).toEqual(people.slice(1));
    await client.groupApi.deleteGroup({ groupId });
    await expect(client.groupApi.getGroup({ groupId })).rejects.toMatchObject({ status: 404 });
  });

  test("is told what Okta tells: a wrong token, a bad expression, a status that does not fit", async () => {
    const stranger = new okta.Client({ orgUrl: fake.url, token: "nobody's", ...OVER_HTTP });
    await expect(stranger.userApi.getUser({ userId: "me" })).rejects.toMatchObject({ status: 401, errorCode: "E0000011" });
    const client = withToken();
    const bad = await client.userApi.listUsers({ filter: 'profile.title eq "x"' });
    await expect(bad.next()).rejects.toMatchObject({ status: 400, errorCode: "E0000031" });
    const staged = fake.org.addUser({ login: "staged@lab.test" }, { activate: false });
    await expect(client.userApi.suspendUser({ userId: staged.id })).rejects.toMatchObject({ status: 400, errorCode: "E0000001" });
  });
});
