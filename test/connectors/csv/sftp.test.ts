import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Network } from "../../../connectors/contract.ts";
import { csvSettings } from "../../../connectors/csv/config.ts";
import { csv } from "../../../connectors/csv/index.ts";
import { drain } from "../../contract/source.ts";
import { loopback, silentLog } from "../../helpers/database.ts";
import { startRelay, startSshServer, type Relay, type SshServer } from "../../helpers/ssh-server.ts";

const PEOPLE = 40_000;
let server: SshServer;
let relay: Relay;
let folder: string;
let file: string;

beforeAll(async () => {
  server = await startSshServer();
  relay = await startRelay(server.port);
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-sftp-"));
  file = path.join(folder, "people.csv");
  writeFileSync(file, feed(PEOPLE));
});
afterEach(() => {
  relay.mishap = undefined;
});
afterAll(async () => {
  await relay?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const feed = (people: number) =>
  ["id,login", ...Array.from({ length: people }, (_, index) => `${index},p${index}`), `END,${people}`, ""].join("\n");

function options(sftp: object = {}, { network = loopback, ...settings }: { network?: Network } & Record<string, unknown> = {}) {
  const { user, privateKey, fingerprint: hostKey } = server;
  return {
    settings: csvSettings.parse({
      sftp: { host: "127.0.0.1", port: relay.port, user, privateKey, hostKey, path: file, timeoutSeconds: 10, ...sftp },
      idColumn: "id",
      trailer: "END",
      ...settings,
    }),
    log: silentLog,
    signal: new AbortController().signal,
    now: () => new Date(),
    network,
  };
}

async function read(...[sftp, others]: Parameters<typeof options>) {
  const source = await csv.openSource?.(options(sftp, others));
  if (!source) throw new Error("csv has a source");
  try {
    return await drain(source.readAll("user"));
  } finally {
    await source.close();
  }
}

describe("a feed that is fetched by SFTP from OpenSSH", () => {
  test("is read whole", async () => {
    const { records, end } = await read();
    expect(records).toHaveLength(PEOPLE);
    expect(records.at(-1)).toMatchObject({ nativeId: String(PEOPLE - 1) });
    expect(end).toEqual({ finalCursor: true, count: PEOPLE });
  });

  test("of a folder the newest file that fits is taken", async () => {
    const inbox = mkdtempSync(path.join(folder, "inbox-"));
    for (const [name, people, at] of [
      ["people-1.csv", 1, 1_700_000_000],
      ["people-2.csv", 2, 1_800_000_000],
      ["other.csv", 3, 1_900_000_000],
      [".people-4.csv", 4, 1_900_000_000],
    ] as const) {
      writeFileSync(path.join(inbox, name), feed(people));
      utimesSync(path.join(inbox, name), at, at);
    }
    expect((await read({ path: inbox, match: "people-*.csv" })).records).toHaveLength(2);
    await expect(read({ path: inbox, match: "*.txt" })).rejects.toMatchObject({ name: "Fault", kind: "transient" });
  });

  test("a server with another key than the pinned one gets nothing of ours, and is named by the key that it shows", async () => {
    const hostKey = `SHA256:${"A".repeat(43)}`;
    await expect(read({ hostKey })).rejects.toMatchObject({ kind: "misconfigured", message: expect.stringContaining(server.fingerprint) });
    const findings = await csv.check?.(options({ hostKey }));
    expect(findings).toMatchObject([
      { name: "host key", ok: false, message: expect.stringContaining(server.fingerprint) },
      { name: "file", ok: false },
    ]);
    expect(await csv.check?.(options())).toMatchObject([
      { name: "host key", ok: true },
      { name: "file", ok: true },
      { name: "completeness", ok: true },
    ]);
  });

  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ["there is no such file", () => read({ path: "/nowhere/people.csv" }), "misconfigured", /has no file \/nowhere/],
    ["it is a folder", () => read({ path: folder }), "misconfigured", /is not a file/],
    ["the file is too large", () => read({}, { maxBytes: 1000 }), "rejected", /more than `maxBytes`/],
    ["the network is not opened", () => read({}, { network: { allow: [] } }), "misconfigured", /outbound.allow/],
    ["the user is let in by another key only", () => read({ user: "nobody" }), "denied", /does not let nobody in/],
    ["the key can't be read", () => read({ privateKey: "no key at all" }), "misconfigured", /private key can't be read/],
    ["nobody listens", () => read({ port: 1 }), "transient", /can't be reached/],
  ])("says what to do when %s", async (_, reading, kind, message) => {
    await expect(reading()).rejects.toMatchObject({ name: "Fault", kind, message: expect.stringMatching(message) });
  });

  test("a key that can't be read leaves no timer behind, which would keep a command from ending", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
    const before = timers();
    await expect(read({ privateKey: "no key at all" })).rejects.toMatchObject({ name: "Fault" });
    expect(timers()).toBe(before);
  });

  test("a locked key opens with its passphrase, and with no other", async () => {
    const privateKey = server.lockedKey("open sesame");
    expect((await read({ privateKey, passphrase: "open sesame" })).end.finalCursor).toBe(true);
    for (const passphrase of [undefined, "open barley"])
      await expect(read({ privateKey, passphrase })).rejects.toMatchObject({
        kind: "misconfigured",
        message: expect.stringContaining("passphrase"),
      });
  });

  test("a file that may not be opened is `denied`", async () => {
    const strict = await startSshServer({ refuses: ["open"] });
    try {
      const { port, privateKey, fingerprint: hostKey } = strict;
      await expect(read({ port, privateKey, hostKey })).rejects.toMatchObject({ kind: "denied", message: expect.stringContaining(file) });
    } finally {
      await strict.stop();
    }
  });

  test.each([0, 1, 500, 2_000, 20_000, 200_000])(
    "invariant 1: a connection that is cut after %i bytes is transient, and gives nobody",
    async (after) => {
      relay.mishap = { after, happens: "cut" };
      await expect(read()).rejects.toMatchObject({ name: "Fault", kind: "transient" });
    },
  );

  test.each([1, 2_000, 200_000])("a server that falls silent after %i bytes is given up", async (after) => {
    relay.mishap = { after, happens: "stall" };
    await expect(read({ timeoutSeconds: 1 })).rejects.toMatchObject({ name: "Fault", kind: "transient" });
  });

  test.each([
    ["replaced", (people: number) => [writeFileSync(`${file}.new`, feed(people)), renameSync(`${file}.new`, file)]],
    ["written to", (people: number) => writeFileSync(file, feed(people))],
    ["cut short", () => writeFileSync(file, "id,login\n1,p1\n")],
  ])("invariant 1: a file that is %s while it is fetched is not taken", async (_, change) => {
    let changed = false;
    relay.mishap = { after: 100_000, happens: () => void ((changed = true), change(PEOPLE + 10)) };
    try {
      await expect(read()).rejects.toMatchObject({ kind: "transient", message: expect.stringMatching(/while it was fetched/) });
      expect(changed).toBe(true);
    } finally {
      writeFileSync(file, feed(PEOPLE));
    }
  });

  test("a read that is stopped ends at once, with an error", async () => {
    const stop = new AbortController();
    relay.mishap = { after: 100_000, happens: () => stop.abort(new Error("stopped")) };
    const opening = csv.openSource?.({ ...options(), signal: stop.signal });
    await expect(opening).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("stopped") });
  });
});

test("the settings of SFTP: a way to sign in is needed, secrets are named, exactly one way may be chosen", () => {
  const hostKey = `SHA256:${"A".repeat(43)}`;
  const sftp = { host: "h", user: "u", password: "p", hostKey, path: "/f" };
  const issues = (settings: object) =>
    csvSettings.safeParse({ idColumn: "id", ...settings }).error?.issues.map((issue) => issue.path.join("."));
  expect(issues({ sftp })).toBeUndefined();
  expect(issues({ sftp: { ...sftp, password: undefined } })).toEqual(["sftp.password"]);
  expect(issues({ sftp: { ...sftp, hostKey: "anything" } })).toEqual(["sftp.hostKey"]);
  expect(issues({ sftp: { ...sftp, hostKey: undefined } })).toEqual(["sftp.hostKey"]);
  expect(issues({ sftp, file: "/f" })).toEqual(["file"]);
  expect(issues({})).toEqual(["file"]);
  expect(csv.secretFields).toEqual(["sftp.password", "sftp.privateKey", "sftp.passphrase"]);
});
