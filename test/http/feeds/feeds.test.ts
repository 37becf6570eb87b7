import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { revokeToken } from "../../../src/auth/tokens.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { sealUploads } from "../../../src/connections/rotate-kept.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sealingKey } from "../../../src/db/envelope.ts";
import { createHandlers } from "../../../src/jobs/handlers.ts";
import { openTargets } from "../../../src/provision/targets.ts";
import { withSyncLock } from "../../../src/sync/lock.ts";
import { silentLog, testContext } from "../../helpers/database.ts";
import { openFeedsDoor, type FeedsDoor } from "./door.ts";

let door: FeedsDoor;
beforeAll(async () => {
  door = await openFeedsDoor();
});
afterAll(() => door?.close());

const feed = (...people: string[]) =>
  ["id,login", ...people.map((login, index) => `${index},${login}`), `END,${people.length}`, ""].join("\n");
const digestOf = (text: string) => `sha-256=:${createHash("sha256").update(text).digest("base64")}:`;

async function jobs(connectionId: number): Promise<number> {
  const { rows } = await door.db.pool.query<{ count: number }>(
    "select count(*)::int as count from graphile_worker.jobs where key = $1 and locked_at is null",
    [`sync:${connectionId}:upload`],
  );
  return rows[0]?.count ?? 0;
}

function handlers() {
  const { db, keyRing } = door;
  const signal = new AbortController().signal;
  return createHandlers({ db, keyRing, targets: openTargets({ keyRing, log: silentLog, signal, now: () => new Date() }) });
}

describe("handing in a file", () => {
  test("it is kept whole, noted, and read by the next free worker; the answer says where to look", async () => {
    const { id, token } = await door.connection("whole");
    const text = feed("ada", "alan");
    const { status, body, headers } = await door.put("/feeds/whole", { token, body: text, headers: { "Content-Digest": digestOf(text) } });
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { connection: "whole", bytes: Buffer.byteLength(text), sha256: createHash("sha256").update(text).digest("hex") },
    });
    expect(await door.kept("whole")).toEqual([body.file]);
    expect(await door.last("whole")).toBe(text);
    expect(await jobs(id)).toBe(1);
    expect((await door.get(headers["location"] ?? "", { token })).body).toMatchObject({ file: body.file, run: null });

    await handlers().sync?.(testContext(), { connectionId: id, mode: "incremental", trigger: "upload" });
    expect((await door.get(headers["location"] ?? "", { token })).body).toMatchObject({ run: { state: "done", error: null } });
    const { rows } = await door.db.pool.query("select user_name from people order by 1");
    expect(rows).toEqual([{ user_name: "ada" }, { user_name: "alan" }]);
    const { rows: events } = await door.db.pool.query("select actor, data from audit_events where name = 'connection.uploaded'");
    expect(events).toMatchObject([{ actor: "token:hr", data: { name: "whole", file: body.file, sha256: body.sha256 } }]);
  });

  test("a file that comes while a run is under way is read by the next", async () => {
    const { id, token } = await door.connection("busy");
    expect((await door.put("/feeds/busy", { token, body: feed("eve") })).status).toBe(202);
    await door.db.pool.query("select graphile_worker.remove_job($1)", [`sync:${id}:upload`]);
    await withSyncLock(door.db, { connectionId: id, name: "busy" }, async () => {
      await handlers().sync?.(testContext(), { connectionId: id, mode: "incremental", trigger: "upload" });
    });
    expect(await jobs(id)).toBe(1);
  });

  test("the last so many are kept, and names follow one another whoever comes at once", async () => {
    const { token } = await door.connection("many");
    const texts = Array.from({ length: 6 }, (_, index) => feed(`p${index}`));
    const answers = await Promise.all(texts.map((body) => door.put("/feeds/many", { token, body })));
    expect(answers.map(({ status }) => status)).toEqual(texts.map(() => 202));
    expect(await door.kept("many")).toHaveLength(3);
    expect(texts).toContain(await door.last("many"));
    const last = await door.put("/feeds/many", { token, body: feed("last") });
    expect((await door.kept("many")).at(-1)).toBe(last.body.file);
    expect(await door.last("many")).toBe(feed("last"));
    const { rows } = await door.db.pool.query(
      "select count(*)::int as left from upload_chunks where upload_id not in (select id from uploads)",
    );
    expect(rows).toEqual([{ left: 0 }]);
  });

  test("a file that newer ones push out while it is read is read by nobody in part", async () => {
    const { token } = await door.connection("pushed");
    await door.put("/feeds/pushed", { token, body: feed("old") });
    const old = await (await loadConnection(door.db.pool, door.keyRing, "pushed")).uploads?.last();
    for (const name of ["new", "newer", "newest"]) expect((await door.put("/feeds/pushed", { token, body: feed(name) })).status).toBe(202);
    await expect(old?.chunks().next()).rejects.toMatchObject({ name: "Fault", kind: "transient" });
    expect(await door.last("pushed")).toBe(feed("newest"));
  });

  test("it is sealed, chunk by chunk, opens with the next master key, and goes with its connection", async () => {
    const { id, token } = await door.connection("sealed");
    const text = feed(...Array.from({ length: 90_000 }, (_, index) => `person-${index}`));
    expect((await door.put("/feeds/sealed", { token, body: text })).status).toBe(202);
    const chunks = "from upload_chunks c join uploads u on u.id = c.upload_id where u.connection_id = $1";
    const { rows } = await door.db.pool.query(
      `select count(*)::int as chunks, bool_or(position('person'::bytea in content) > 0) as readable ${chunks}`,
      [id],
    );
    expect(rows).toEqual([{ chunks: Math.ceil(Buffer.byteLength(text) / (512 * 1024)), readable: false }]);
    expect(rows[0].chunks).toBeGreaterThan(2);

    const next = { current: sealingKey(randomBytes(32)), older: [door.keyRing.current] };
    await inTransaction(door.db, testContext(), async ({ sql }) => {
      expect(await sealUploads(sql, next)).toBeGreaterThan(0);
      expect(await sealUploads(sql, next)).toBe(0);
    });
    expect(await door.last("sealed", { current: next.current, older: [] })).toBe(text);
    await inTransaction(door.db, testContext(), ({ sql }) => sealUploads(sql, { current: door.keyRing.current, older: [next.current] }));

    await door.db.pool.query(
      `update upload_chunks set content = (select c.content ${chunks} and c.seq = 1) where seq = 0 and upload_id = (select id from uploads where connection_id = $1)`,
      [id],
    );
    await expect(door.last("sealed")).rejects.toMatchObject({ code: "misconfigured" });
    await door.db.pool.query("delete from connections where id = $1", [id]);
    expect((await door.db.pool.query("select from uploads where connection_id = $1", [id])).rowCount).toBe(0);
  });
});

describe("a torn file", () => {
  const request = (name: string, token: string, lines: readonly string[]) =>
    [`PUT /feeds/${name} HTTP/1.1`, "Host: here", `Authorization: Bearer ${token}`, "Content-Type: text/csv", ...lines].join("\r\n");

  test("invariant 1: with fewer bytes than announced, or without its last chunk, leaves nothing behind", async () => {
    const { id, token } = await door.connection("torn");
    const whole = feed("ada", "alan");
    for (let length = 0; length < whole.length; length += 7) {
      await door.raw(request("torn", token, [`Content-Length: ${whole.length}`, "", whole.slice(0, length)]), { hangUp: true });
      const chunk = whole.slice(0, length + 1);
      await door.raw(request("torn", token, ["Transfer-Encoding: chunked", "", chunk.length.toString(16), chunk, ""]), { hangUp: true });
    }
    expect([await door.kept("torn"), await jobs(id)]).toEqual([[], 0]);
    const { status, body } = await door.put("/feeds/torn", { token, body: whole });
    expect([status, await door.kept("torn")]).toEqual([202, [body.file]]);
  });

  test("that is not what its digest says is refused", async () => {
    const { id, token } = await door.connection("digest");
    const wrong = await door.put("/feeds/digest", { token, body: feed("ada"), headers: { "Content-Digest": digestOf("another") } });
    expect([wrong.status, wrong.body.field]).toEqual([400, "Content-Digest"]);
    const malformed = await door.put("/feeds/digest", { token, body: feed("ada"), headers: { "Content-Digest": "sha-256=nonsense" } });
    expect([malformed.status, malformed.body.field]).toEqual([400, "Content-Digest"]);
    expect([await door.kept("digest"), await jobs(id)]).toEqual([[], 0]);
    const others = await door.put("/feeds/digest", {
      token,
      body: feed("ada"),
      headers: { "Content-Digest": `unixsum=:AAA=:, ${digestOf(feed("ada"))}` },
    });
    expect(others.status).toBe(202);
  });
});

describe("who may hand in what", () => {
  test("only a feed token of that connection, while both are good", async () => {
    const { id, token } = await door.connection("mine");
    const other = await door.connection("other");
    const scim = await door.newToken({ scope: "scim" });
    const api = await door.newToken({ scope: "api", connectionId: id });
    const answer = async (options: { token?: string }, url = "/feeds/mine") => {
      const { status, body } = await door.put(url, { ...options, body: feed("ada") });
      return [status, body.error];
    };
    expect(await answer({})).toEqual([401, "unauthenticated"]);
    expect(await answer({ token: "rc_feed_aaaaaaaa_" + "x".repeat(43) })).toEqual([401, "unauthenticated"]);
    for (const stranger of [scim.token, api.token, other.token]) expect(await answer({ token: stranger })).toEqual([403, "forbidden"]);
    expect(await answer({ token }, "/feeds/nowhere")).toEqual([403, "forbidden"]);
    expect(await door.kept("mine")).toEqual([]);
    expect((await door.get("/feeds/mine/uploads/..%2f..%2fmaster.key", { token })).status).toBe(404);

    await door.db.pool.query("update connections set enabled = false where name = 'mine'");
    expect(await answer({ token })).toEqual([403, "forbidden"]);
    await door.db.pool.query("update connections set enabled = true where name = 'mine'");
    const second = await door.newToken({ connectionId: id });
    expect(await answer({ token: second.token })).toEqual([202, undefined]);
    await inTransaction(door.db, testContext(), (work) => revokeToken(work, { id: second.id, reason: "test" }));
    expect(await answer({ token: second.token })).toEqual([401, "unauthenticated"]);
  });

  test("an address that is no text is the caller's mistake, and no failure of ours", async () => {
    expect((await door.put("/feeds/%E0%A4%A", { body: "id\n" })).status).toBe(400);
  });

  test("a feed token opens no other door, and belongs to a connection", async () => {
    const { token } = await door.connection("door");
    expect((await door.get("/scim/v2/Users", { token })).status).toBe(403);
    await expect(door.newToken({})).rejects.toMatchObject({ code: "invalid", field: "connection" });
  });

  test.each<[string, { body?: string; headers?: Record<string, string> }, number, string]>([
    ["nothing", { body: "" }, 400, "body"],
    ["more than is allowed", { body: "x".repeat(2000) }, 413, "Content-Length"],
    ["a form", { body: feed("ada"), headers: { "Content-Type": "multipart/form-data; boundary=x" } }, 415, "Content-Type"],
    ["compressed", { body: feed("ada"), headers: { "Content-Encoding": "gzip" } }, 415, "Content-Encoding"],
    ["a part", { body: feed("ada"), headers: { "Content-Range": "bytes 0-9/20" } }, 400, "Content-Range"],
  ])("refuses %s", async (what, sent, status, field) => {
    const name = `no-${what.split(" ").join("-")}`;
    const { token } = await door.connection(name, { upload: {}, maxBytes: 1000 });
    const answer = await door.put(`/feeds/${name}`, { token, ...sent });
    expect([answer.status, answer.body.field, answer.body.message]).toEqual([status, field, expect.any(String)]);
    expect(await door.kept(name)).toEqual([]);
  });

  test("refuses what grows beyond the limit without having said so", async () => {
    const { token } = await door.connection("growing", { upload: {}, maxBytes: 1000 });
    const chunk = "x".repeat(600);
    const head = ["PUT /feeds/growing HTTP/1.1", "Host: here", `Authorization: Bearer ${token}`, "Transfer-Encoding: chunked", "", ""];
    const answer = await door.raw(`${head.join("\r\n")}${`258\r\n${chunk}\r\n`.repeat(2)}0\r\n\r\n`, { hangUp: false });
    expect(answer).toMatch(/^HTTP\/1.1 413/);
    expect(await door.kept("growing")).toEqual([]);
  });

  test("a connection that reads something else takes no files", async () => {
    const { token } = await door.connection("elsewhere", { file: "/srv/feeds/people.csv" });
    expect((await door.put("/feeds/elsewhere", { token, body: feed("ada") })).status).toBe(409);
  });
});
