import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Conversation } from "../../../connectors/contract.ts";
import { createRecording, openRecording, type RecordingHeader } from "../../../connectors/kit/recording/file.ts";
import { recordHttp, replayHttp } from "../../../connectors/kit/recording/http.ts";
import { createRedactor } from "../../../connectors/kit/recording/redact.ts";
import { openHttp } from "../../../connectors/kit/http.ts";
import { loopback } from "../../helpers/database.ts";
import { json, standIn, type StandIn } from "./stand-in.ts";

const HEADER: RecordingHeader = {
  recording: 1,
  connection: "corp",
  connector: "okta",
  mode: "full",
  startedAt: "2026-01-01T00:00:00.000Z",
  cursor: null,
  level: "http",
};

describe("a recording of HTTP", () => {
  let folder: string;
  let server: StandIn;
  let number = 0;
  /** What the system echoes. */
  let secret = "";
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-kit-recording-"));
    server = await standIn((request, response) => {
      response.setHeader("set-cookie", `session=${secret}`);
      response.setHeader("link", `<${server.url}/users?after=2>; rel="next"`);
      if (request.url === "/token") return json(response, { access_token: `token-of-${secret}`, expires_in: 3600 });
      if (request.url?.startsWith("/users?after=2")) return json(response, { error: `token-of-${secret} or ${secret} is wrong` }, 403);
      if (request.url === "/broken") return void response.writeHead(200).end(`{"client_secret":"${encodeURIComponent(secret)}","na`);
      json(response, { users: [{ id: "1", password: { value: "hunter2" }, note: `<${secret}>`, [secret]: [`${secret}${secret}`] }] });
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A sign-in, and calls that go well and badly: everything that the caller learns of them. */
  async function conversation(conversing: Conversation): Promise<unknown[]> {
    const http = openHttp({
      system: "The system",
      baseUrl: server.url,
      credential: () => ({ authorization: `Bearer ${secret}` }),
      timeoutMs: 30_000,
      network: loopback,
      conversation: conversing,
      signal: new AbortController().signal,
      now: () => new Date("2026-01-01T00:00:00Z"),
    });
    const heard: unknown[] = [];
    const form = new URLSearchParams({ client_secret: secret, client_assertion: `${Math.random()}`, scope: "users" });
    const requests = [
      { method: "POST", path: "/token", body: form },
      { method: "GET", path: "/users", query: { token: secret } },
      { method: "GET", path: "/users", query: { token: secret } },
      { method: "GET", path: `${server.url}/users?after=2` },
      { method: "POST", path: "/users", body: { password: secret, name: "Ann" } },
      { method: "GET", path: "/broken" },
    ] as const;
    for (const request of requests) {
      const { body, headers } = await http
        .request(request)
        .catch((error: unknown) => ({ body: (error as { kind: string }).kind, headers: {} }));
      heard.push([body, (headers as Record<string, unknown>)["link"]]);
    }
    await http.close();
    return heard;
  }

  test("B6: no credential gets into the file, and the replay says what was said, without the system", async () => {
    // Quotes, backslashes, percent signs: what JSON and URLs write otherwise.
    const secrets = fc.stringMatching(/^[!-~]{8,60}$/);
    await fc.assert(
      fc.asyncProperty(secrets, async (given) => {
        secret = given;
        const file = path.join(folder, `${number++}.jsonl`);
        const writer = await createRecording(file, HEADER);
        const heard = await conversation(recordHttp({ writer, redactor: createRedactor([secret]) }));
        await writer.end({ hash: "00" });
        await writer.close();
        const written = readFileSync(file, "utf8");
        for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), "hunter2"])
          expect([form, written.includes(form)]).toEqual([form, false]);

        const recording = await openRecording(file);
        const before = server.asked.length;
        const again = await conversation(replayHttp({ recording, redactor: createRedactor([secret]) }));
        await recording.close();
        expect(server.asked).toHaveLength(before);
        expect(again.map((each) => JSON.stringify(each))).toEqual(
          heard.map((each) => JSON.stringify(createRedactor([secret]).value(each)).replace(`token-of-[redacted]`, "[redacted]")),
        );
      }),
      { numRuns: 40 },
    );
  });

  test("keys inside a secret that is a document are secrets, its names and addresses are not", () => {
    const account = JSON.stringify({ client_email: "sync@lab.test", private_key: "-----BEGIN KEY-----abc" });
    const redactor = createRedactor([account, { nested: { password: "pa55word" } }, undefined, ""]);
    expect(redactor.value({ mail: "sync@lab.test", said: "-----BEGIN KEY-----abc", other: "my pa55word!" })).toEqual({
      mail: "sync@lab.test",
      said: "[redacted]",
      other: "my [redacted]!",
    });
  });
});
