import { Fault, type CheckResult, type OpenOptions } from "../contract.ts";
import { openClient } from "./client.ts";
import type { ScimSettings } from "./config.ts";

/** Reaches the application, asks what it can do, and reads one user and one group with the token. */
export async function check(options: OpenOptions<ScimSettings>): Promise<CheckResult[]> {
  const client = openClient(options);
  try {
    return [
      await finding("ServiceProviderConfig", async () => {
        const { patch, filter, paging, pageSize, etag } = await client.abilities();
        const found = filter ? "filter" : "listing all, for want of filters";
        const versions = etag ? "compared" : "not told";
        return `changes go by ${patch ? "PATCH" : "PUT"}; accounts are found by ${found}; listings go by ${paging}, ${pageSize} a page; versions are ${versions}`;
      }),
      await finding("Users", async () => {
        const { totalResults } = await client.list("user", { startIndex: 1, count: 1 });
        return `the token may read users; there are ${totalResults ?? "some"}`;
      }),
      await finding("Groups", async () => {
        const { totalResults } = await client.list("group", { startIndex: 1, count: 1 });
        return `the token may read groups; there are ${totalResults ?? "some"}`;
      }),
    ];
  } finally {
    await client.close();
  }
}

async function finding(name: string, look: () => Promise<string>): Promise<CheckResult> {
  try {
    return { name, ok: true, message: await look() };
  } catch (error) {
    if (error instanceof Fault) return { name, ok: false, message: error.message };
    throw error;
  }
}
