import type { lookup } from "node:dns";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Network } from "../../../connectors/contract.ts";
import { guardedLookup, refuseLiteral } from "../../../connectors/kit/guard.ts";
import { openHttp, type HttpOptions } from "../../../connectors/kit/http.ts";
import { fetchText } from "../../../connectors/kit/send.ts";
import { loopback } from "../../helpers/database.ts";
import { json, standIn, type StandIn } from "./stand-in.ts";

function opened(baseUrl: string, options: Partial<HttpOptions> = {}) {
  return openHttp({
    system: "The system",
    baseUrl,
    credential: () => ({ authorization: "Bearer the-secret-token" }),
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    now: () => new Date(),
    ...options,
  });
}

async function reached(baseUrl: string, network?: Network): Promise<string> {
  const http = opened(baseUrl, { network });
  try {
    await http.request({ method: "GET", path: "/" });
    return "reached";
  } catch (error) {
    return (error as Error).message;
  } finally {
    await http.close();
  }
}

/** A name server of the test's own: every name has these addresses. */
function resolving(...addresses: string[]): typeof lookup {
  const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  return ((_host: string, _options: object, callback: (error: null, found: object) => void) => callback(null, found)) as never;
}

describe("connections stay out of networks that the operator has not opened", () => {
  let server: StandIn;
  beforeAll(async () => {
    server = await standIn((_request, response) => json(response, {}));
  });
  afterAll(() => server.stop());

  const forms = [
    "127.0.0.1",
    "2130706433",
    "0177.0.0.1",
    "0x7f.1",
    "127.1",
    "0",
    "[::ffff:127.0.0.1]",
    "[::1]",
    "localhost",
    "a.localhost",
    "LOCALHOST.",
  ];

  test.each(forms)("http://%s leads nowhere, and nothing arrives", async (host) => {
    const before = server.asked.length;
    expect(await reached(`http://${host}:${server.port}`)).toMatch(/not connected to.*outbound\.allow/);
    expect(server.asked).toHaveLength(before);
  });

  test("the operator's own networks are reached", async () => {
    expect(await reached(server.url, loopback)).toBe("reached");
    expect(await reached(`http://localhost:${server.port}`, loopback)).toBe("reached");
    expect(await reached(server.url, { allow: ["10.0.0.0/8"] })).toMatch(/outbound\.allow/);
  });

  test("a key set is fetched under the same rule", async () => {
    const limits = { timeoutMs: 30_000, maxBytes: 100 };
    await expect(fetchText({ url: server.url, ...limits })).rejects.toThrow(/outbound\.allow/);
    expect(await fetchText({ url: server.url, network: loopback, ...limits })).toMatchObject({ status: 200, text: "{}" });
  });

  test("a name is resolved once, and the socket is given only addresses that may be reached", async () => {
    const ask = (addresses: string[], all: boolean, allow: string[] = []) =>
      new Promise((resolve) =>
        guardedLookup({ allow }, resolving(...addresses))("name.example", { all }, (error, found) => resolve(error?.message ?? found)),
      );
    expect(await ask(["10.0.0.1", "8.8.8.8", "::1"], true)).toEqual([{ address: "8.8.8.8", family: 4 }]);
    expect(await ask(["169.254.169.254", "2606:4700::1"], false)).toBe("2606:4700::1");
    expect(await ask(["169.254.169.254"], true)).toMatch(/^name\.example is at a loopback/);
    expect(await ask(["169.254.169.254"], true)).not.toContain("169.254");
    expect(await ask(["10.0.0.1"], false, ["10.0.0.0/8"])).toBe("10.0.0.1");
    expect(await ask([], true)).toMatch(/name\.example/);
  });

  test("only addresses and this machine's own name are judged by their spelling", () => {
    for (const host of ["[fe80::1]", "10.0.0.1", "localhost"]) expect(() => refuseLiteral(host, { allow: [] })).toThrow(/outbound\.allow/);
    for (const host of ["idp.example.com", "8.8.8.8", "localhost.example.com"])
      expect(() => refuseLiteral(host, { allow: [] })).not.toThrow();
  });
});
