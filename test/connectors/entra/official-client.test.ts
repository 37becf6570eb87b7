import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  AuthenticationHandler,
  Client,
  PageIterator,
  RetryHandler,
  RetryHandlerOptions,
  type Context,
  type Middleware,
  type PageCollection,
} from "@microsoft/microsoft-graph-client";
import { Agent, fetch } from "undici";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import { drain } from "../../contract/source.ts";
import { company, openOptions, type Company } from "./opened.ts";

/** A certificate for the stand-in on loopback: Microsoft's client speaks to nothing without TLS. */
function authority(): { key: string; cert: string } {
  const folder = mkdtempSync(path.join(os.tmpdir(), "graph-tls-"));
  try {
    const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
    const options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
    execFileSync(
      "openssl",
      [...options, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
      { stdio: "ignore" },
    );
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const tls = authority();
const dispatcher = new Agent({ connect: { ca: tls.cert } });
let here: Company;
let client: Client;

/** The client's own chain, but for the last link: the stand-in's certificate must be trusted. */
function chain(token: () => Promise<string>): Middleware {
  const authentication = new AuthenticationHandler({ getAccessToken: token });
  const retry = new RetryHandler(new RetryHandlerOptions(0, 3));
  authentication.setNext(retry);
  retry.setNext({
    async execute(context: Context) {
      const { method, headers, body } = context.options ?? {};
      const sent = { dispatcher, method, headers: headers as Record<string, string>, body: typeof body === "string" ? body : null };
      // The same interface, from another edition of the same library.
      context.response = (await fetch(String(context.request), sent)) as unknown as Response;
    },
  });
  return authentication;
}

beforeAll(async () => {
  here = await company({
    tls,
    granted: ["User.ReadWrite.All", "Group.ReadWrite.All", "AdministrativeUnit.Read.All", "Directory.ReadWrite.All"],
  });
  const { graph } = here;
  const token = async (): Promise<string> => {
    const { clientId, clientSecret = "" } = graph.application;
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${graph.origin}/.default`,
    });
    const answer = await fetch(`${graph.origin}/${graph.tenantId}/oauth2/v2.0/token`, { method: "POST", body, dispatcher });
    return String(((await answer.json()) as { access_token: string }).access_token);
  };
  client = Client.initWithMiddleware({ baseUrl: `${graph.origin}/`, customHosts: new Set(["127.0.0.1"]), middleware: chain(token) });
});
afterAll(async () => {
  await dispatcher.close();
  await here.graph.close();
});

/** Follows the links as the client's own iterator does. */
async function all(address: string): Promise<{ items: Record<string, unknown>[]; deltaLink: string | undefined }> {
  const items: Record<string, unknown>[] = [];
  const iterator = new PageIterator(client, (await client.api(address).get()) as PageCollection, (item: Record<string, unknown>) => {
    items.push(item);
    return true;
  });
  await iterator.iterate();
  return { items, deltaLink: iterator.getDeltaLink() };
}

describe("Microsoft's own client takes the stand-in for Microsoft Graph", () => {
  test("lists, pages, selects, counts", async () => {
    const { items } = await all("/users?$select=id,displayName,accountEnabled&$top=10");
    expect(items.map(({ id }) => id).sort()).toEqual(here.people.toSorted());
    expect(items[0]).toEqual({ id: expect.any(String), displayName: "p0", accountEnabled: true });
    expect(await client.api("/users/$count").header("ConsistencyLevel", "eventual").get()).toBe("35");
    await expect(client.api("/users/$count").get()).rejects.toMatchObject({ statusCode: 400, code: "Request_UnsupportedQuery" });
  });

  test("creates, changes, deletes, finds deleted, restores", async () => {
    const { id } = (await client
      .api("/users")
      .post({ displayName: "New", userPrincipalName: "new@lab.example", accountEnabled: true })) as { id: string };
    await client.api(`/users/${id}`).patch({ accountEnabled: false, jobTitle: "Visitor" });
    expect(await client.api(`/users/${id}`).select(["accountEnabled", "jobTitle"]).get()).toMatchObject({
      accountEnabled: false,
      jobTitle: "Visitor",
    });
    await client.api(`/users/${id}`).delete();
    await expect(client.api(`/users/${id}`).get()).rejects.toMatchObject({ statusCode: 404, code: "Request_ResourceNotFound" });
    expect(await client.api(`/directory/deletedItems/${id}`).get()).toMatchObject({ id });
    await client.api(`/directory/deletedItems/${id}/restore`).post({});
    expect(await client.api(`/users/${id}/revokeSignInSessions`).post({})).toMatchObject({ value: true });
    await client.api(`/users/${id}`).delete();
  });

  test("members: adds, lists, removes; batches", async () => {
    const [ada = ""] = here.people;
    await client.api(`/groups/${here.nested}/members/$ref`).post({ "@odata.id": `${here.graph.graphUrl}/directoryObjects/${ada}` });
    expect((await all(`/groups/${here.nested}/members?$select=id`)).items.map(({ id }) => id).sort()).toEqual([ada, here.large].sort());
    expect((await all(`/users/${ada}/memberOf`)).items.map((item) => item["@odata.type"])).toContain("#microsoft.graph.group");
    await client.api(`/groups/${here.nested}/members/${ada}/$ref`).delete();
    const batch = (await client.api("/$batch").post({
      requests: [
        { id: "1", method: "GET", url: `/users/${ada}?$select=id` },
        { id: "2", method: "GET", url: "/users/nobody" },
      ],
    })) as { responses: { id: string; status: number }[] };
    expect(new Map(batch.responses.map(({ id, status }) => [id, status]))).toEqual(
      new Map([
        ["1", 200],
        ["2", 404],
      ]),
    );
  });

  test("delta queries: a first round, changes, and a state that is lost", async () => {
    const first = await all("/users/delta?$select=displayName,jobTitle");
    expect(first.items).toHaveLength(35);
    const [ada = "", bob = ""] = here.people;
    here.graph.tenant.change(ada, { jobTitle: "Head" });
    here.graph.tenant.remove(bob);
    const next = await all(first.deltaLink ?? "");
    expect(next.items).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: ada, jobTitle: "Head" }), { id: bob, "@removed": { reason: "changed" } }]),
    );
    here.graph.expireTokens();
    await expect(all(next.deltaLink ?? "")).rejects.toMatchObject({ statusCode: 410 });
    await expect(client.api("/users/delta?$top=5").get()).rejects.toMatchObject({ statusCode: 400 });
    here.graph.tenant.restore(bob);
  });

  test("waits when it is throttled, as we do", async () => {
    here.graph.faults.plan({ kind: "throttled", at: "GET /users" });
    expect((await all("/users?$top=20")).items).toHaveLength(35);
    expect(here.graph.faults.pending()).toBe(0);
  });
});

test("our client reads over TLS what Microsoft's does, with a CA of its own and not without", async () => {
  const source = await openEntraSource(openOptions(here.graph, { ca: tls.cert }));
  const { records } = await drain(source.readAll("user"));
  const { items } = await all("/users?$top=50");
  expect(records.map(({ nativeId }) => nativeId).sort()).toEqual(items.map(({ id }) => id).sort());
  await source.close();
  await expect(openEntraSource(openOptions(here.graph))).rejects.toMatchObject({ kind: "misconfigured" });
});
