import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { admin, auth, type admin_directory_v1 } from "@googleapis/admin";
import { importPKCS8, SignJWT } from "jose";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { fillCompany, type Company } from "./opened.ts";

let fake: GoogleFake;
let company: Company;
let directory: admin_directory_v1.Admin;

beforeAll(async () => {
  fake = await startGoogle();
  company = fillCompany(fake);
  const access_token = await accessToken();
  const client = new auth.OAuth2();
  client.setCredentials({ access_token });
  directory = admin({ version: "directory_v1", auth: client, rootUrl: fake.url });
});
afterAll(() => fake.stop());

/** The library asks for tokens at Google's own address alone; so this one is asked for beside it. */
async function accessToken(): Promise<string> {
  const key = JSON.parse(fake.delegation.keyFile) as { client_email: string; private_key: string };
  const assertion = await new SignJWT({ scope: [...fake.delegation.delegated].join(" ") })
    .setProtectedHeader({ alg: "RS256" })
    .setIssuer(key.client_email)
    .setSubject(fake.administrator)
    .setAudience(fake.tokenUrl)
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(await importPKCS8(key.private_key, "RS256"));
  const answer = await fetch(fake.tokenUrl, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

describe("Google's own client library against the stand-in", () => {
  test("pages through users, groups, members and units", async () => {
    const users: string[] = [];
    let pageToken: string | undefined;
    do {
      const { data } = await directory.users.list({ customer: "my_customer", maxResults: 10, orderBy: "email", pageToken });
      users.push(...(data.users ?? []).flatMap(({ id }) => id ?? []));
      pageToken = data.nextPageToken ?? undefined;
    } while (pageToken !== undefined);
    expect(users.sort()).toEqual([...fake.organisation.users.keys()].sort());

    const { data: groups } = await directory.groups.list({ customer: "my_customer" });
    expect(groups.groups?.map(({ id }) => id).sort()).toEqual([...company.groups].sort());
    const [all = ""] = company.groups;
    const { data: members } = await directory.members.list({ groupKey: all, maxResults: 200 });
    expect(members.members?.map(({ id }) => id).sort()).toEqual([...company.people].sort());
    const { data: units } = await directory.orgunits.list({ customerId: "my_customer", type: "all" });
    expect(units.organizationUnits?.map(({ orgUnitPath }) => orgUnitPath).sort()).toEqual(["/North", "/North/Lab", "/South"]);
  });

  test("suspends, signs out, moves, deletes, and finds the deleted one among the deleted", async () => {
    const { data: created } = await directory.users.insert({
      requestBody: { primaryEmail: "New@lab.test", name: { givenName: "New", familyName: "Person" }, password: "correct-horse" },
    });
    const userKey = created.id ?? "";
    expect((await directory.users.patch({ userKey, requestBody: { suspended: true } })).data).toMatchObject({
      suspended: true,
      suspensionReason: "ADMIN",
    });
    await directory.users.signOut({ userKey });
    expect(fake.organisation.signOuts.get(userKey)).toBe(1);
    await directory.users.patch({ userKey: "new@lab.test", requestBody: { orgUnitPath: "/South" } });
    expect((await directory.users.get({ userKey })).data.orgUnitPath).toBe("/South");
    const { data: found } = await directory.users.list({ customer: "my_customer", query: "orgUnitPath='/South' email='new@lab.test'" });
    expect(found.users?.map(({ id }) => id)).toEqual([userKey]);
    await directory.users.delete({ userKey });
    await expect(directory.users.get({ userKey })).rejects.toMatchObject({ status: 404 });
    const { data: deleted } = await directory.users.list({ customer: "my_customer", showDeleted: "true" });
    expect(deleted.users?.map(({ id, deletionTime }) => [id, typeof deletionTime])).toEqual([[userKey, "string"]]);
  });

  test("puts a member into a group and takes it out again", async () => {
    const [, , none = ""] = company.groups;
    const [anna = ""] = company.people;
    await directory.members.insert({ groupKey: none, requestBody: { email: "p0@lab.test", role: "MEMBER" } });
    expect((await directory.members.get({ groupKey: none, memberKey: anna })).data.type).toBe("USER");
    await expect(directory.members.insert({ groupKey: none, requestBody: { email: "p0@lab.test" } })).rejects.toMatchObject({
      status: 409,
    });
    await directory.members.delete({ groupKey: none, memberKey: anna });
    await expect(directory.members.get({ groupKey: none, memberKey: anna })).rejects.toMatchObject({ status: 404 });
  });

  test("watches users and stops", async () => {
    const { data } = await directory.users.watch({
      customer: "my_customer",
      event: "update",
      requestBody: { id: "channel-1", type: "web_hook", address: "https://rollcall.test/hint", token: "t", params: { ttl: "3600" } },
    });
    expect(Number(data.expiration)).toBeGreaterThan(Date.now());
    await directory.channels.stop({ requestBody: { id: "channel-1", resourceId: data.resourceId ?? "" } });
    expect(fake.organisation.channels.size).toBe(0);
  });

  test("meets a used-up quota as Google sends it", async () => {
    fake.inject({ fault: "quota" });
    await expect(directory.users.get({ userKey: "p1@lab.test", retryConfig: { retry: 0 } } as never)).rejects.toMatchObject({
      status: 403,
    });
  });
});
