import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openHttp, type HttpOptions, type HttpRequest } from "../../../connectors/kit/http.ts";
import { loopback } from "../../helpers/database.ts";
import { json, standIn, type StandIn } from "./stand-in.ts";

type Answer = Parameters<typeof standIn>[0];

const SECRET = "the-secret-token";

describe("the kit's HTTP", () => {
  let answer: Answer;
  let server: StandIn;
  let other: StandIn;
  beforeEach(async () => {
    answer = (_request, response) => json(response, {});
    server = await standIn((request, response) => answer(request, response));
    other = await standIn((_request, response) => json(response, {}));
  });
  afterEach(async () => {
    await server.stop();
    await other.stop();
  });

  async function ask(request: Partial<HttpRequest> = {}, options: Partial<HttpOptions> = {}) {
    const http = openHttp({
      system: "The system",
      baseUrl: `${server.url}/api/`,
      credential: () => ({ authorization: `Bearer ${SECRET}` }),
      timeoutMs: 30_000,
      network: loopback,
      signal: new AbortController().signal,
      now: () => new Date("2026-01-01T00:00:00Z"),
      ...options,
    });
    try {
      return await http.request({ method: "GET", path: "/things", ...request });
    } finally {
      await http.close();
    }
  }

  test("JSON that was torn on its way is asked for again; a page for people is the wrong address", async () => {
    const whole = JSON.stringify({ value: [{ name: "Ada" }, { name: "Bea" }] });
    for (const text of [whole.slice(0, -3), whole.slice(0, 1), ` [${whole.slice(0, 20)}`, `${whole.slice(0, 20)}\0\0`]) {
      answer = (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end(text);
      await expect(ask()).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("broken off") });
    }
    answer = (_request, response) => response.writeHead(200, { "content-length": whole.length + 5 }).end(whole, () => response.destroy());
    await expect(ask()).rejects.toMatchObject({ kind: "transient" });
    for (const text of ["<!doctype html><title>Sign in</title>", "OK"]) {
      answer = (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end(text);
      await expect(ask()).rejects.toMatchObject({ kind: "misconfigured" });
    }
  });

  test("M4: every request says who asks: GitHub answers none that does not, AWS IAM Identity Center no PATCH", async () => {
    answer = (request, response) => json(response, {}, request.headers["user-agent"] === undefined ? 403 : 200);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"] as const)
      await ask({ method, ...(method === "GET" ? {} : { body: {} }) });
    expect(new Set(server.asked.map(({ headers }) => headers["user-agent"]))).toEqual(new Set(["Rollcall"]));
  });

  test.each([
    ["the limit is used up", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767225690" }, {}, 90_000],
    ["Retry-After", { "retry-after": "7" }, {}, 7_000],
    ["words alone", {}, { message: "You have exceeded a secondary rate limit. Please wait a few minutes." }, 60_000],
  ])("M4: a 403 that tells of too many requests (%s) is no refusal of the credential", async (_how, headers, body, retryAfterMs) => {
    answer = (_request, response) => void response.writeHead(403, headers).end(JSON.stringify(body));
    await expect(ask()).rejects.toMatchObject({ kind: "throttled", retryAfterMs });
    answer = (_request, response) => void response.writeHead(403, { "x-ratelimit-remaining": "4999" }).end("{}");
    await expect(ask()).rejects.toMatchObject({ kind: "denied" });
  });

  test("a byte order mark before the JSON is passed over (RFC 8259 section 8.1)", async () => {
    answer = (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end('\uFEFF{"id":"\uFEFF1"}');
    expect((await ask()).body).toEqual({ id: "\uFEFF1" });
    answer = (_request, response) => response.writeHead(400).end('\uFEFF{"detail":"no such thing"}');
    await expect(ask()).rejects.toMatchObject({ message: "The system answered 400: no such thing." });
  });

  test("a redirect is not followed, and no other host hears of the credential", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      answer = (_request, response) => response.writeHead(status, { location: `${other.url}/steal` }).end();
      await expect(ask()).rejects.toMatchObject({ kind: "misconfigured", message: expect.stringContaining(`redirects to ${other.url}`) });
    }
    expect(other.asked).toEqual([]);
  });

  test("a next link is followed as it stands, at its own origin only", async () => {
    await ask({ path: `${server.url}/elsewhere?$skiptoken=a%2Fb` });
    expect(server.asked.at(-1)).toMatchObject({ path: "/elsewhere?$skiptoken=a%2Fb", headers: { authorization: `Bearer ${SECRET}` } });
    for (const path of [
      `${other.url}/next`,
      `http://user@127.0.0.1:${server.port}/next`,
      `https://127.0.0.1:${server.port}/next`,
      "file:///etc/passwd",
    ])
      await expect(ask({ path })).rejects.toMatchObject({
        kind: "misconfigured",
        message: expect.stringContaining("The credential is not sent there"),
      });
    await expect(ask({ path: "@evil.example/next" })).rejects.toMatchObject({ kind: "rejected" });
    expect(other.asked).toEqual([]);
    expect(server.asked).toHaveLength(1);
  });

  test("an answer larger than allowed ends the call, and is not kept", async () => {
    let sent = 0;
    answer = (_request, response) => {
      const more = () => {
        while (!response.destroyed && sent < 64 * 1024 * 1024) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536, 32))) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    };
    await expect(ask({}, { maxBytes: 1000 })).rejects.toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("more than 1000 bytes"),
    });
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test.each<[string, Answer]>([
    ["that never comes", () => undefined],
    ["whose headers come and whose body does not", (_request, response) => response.writeHead(200).flushHeaders()],
    [
      "that drips",
      (_request, response) => {
        const drip = setInterval(() => response.write(" "), 20);
        response.once("close", () => clearInterval(drip));
      },
    ],
  ])("an answer %s is given up", async (_what, slow) => {
    answer = slow;
    await expect(ask({}, { timeoutMs: 300 })).rejects.toMatchObject({
      kind: "transient",
      message: expect.stringContaining("did not answer within 300 ms"),
    });
  });

  test("a credential that would end its header sends nothing at all, and is not told", async () => {
    for (const tail of ["\n", "\r\nx-admin: yes", "\0", "\u2028"]) {
      const fault = await ask({}, { credential: () => ({ authorization: `SSWS ${SECRET}${tail}` }) }).catch((error: unknown) => error);
      expect(fault).toMatchObject({ kind: "misconfigured", message: expect.stringContaining("Enter it again") });
      expect((fault as Error).message).not.toContain(SECRET);
    }
    expect(server.asked).toEqual([]);
  });

  test("an answer that is compressed unasked is not inflated, whatever it would come to", async () => {
    const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024, 32));
    answer = (_request, response) =>
      void response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
    await expect(ask({}, { maxBytes: 100_000 })).rejects.toMatchObject({
      kind: "misconfigured",
      message: expect.stringContaining("compressed"),
    });
    expect(bomb.length).toBeLessThan(100_000);
    expect(server.asked[0]?.headers["accept-encoding"]).toBeUndefined();
  });

  test("what the system says about an error holds no credential of ours, not even a part that was cut", async () => {
    for (const said of [`Bearer ${SECRET} is expired`, `${"x ".repeat(242)}${SECRET} is expired`, `form-secret-1 and ${SECRET}`]) {
      answer = (_request, response) => json(response, { error_description: said }, 401);
      const form = new URLSearchParams({ grant_type: "client_credentials", client_secret: "form-secret-1" });
      const fault = await ask({ method: "POST", body: form }).catch((error: unknown) => error);
      expect(fault).toMatchObject({ kind: "denied" });
      expect((fault as Error).message).not.toMatch(/the-s|form-secret/);
    }
    expect(server.asked.at(-1)?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
  });

  test("a broken answer is a fault that may be tried again", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": "1000" }).write("{");
      setTimeout(() => response.destroy(), 20);
    };
    await expect(ask()).rejects.toMatchObject({ kind: "transient" });
  });
});
