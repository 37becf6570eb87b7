import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { postgresUser, readableBinaries } from "../../src/db/embedded-binaries.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { lockFile } from "../../src/db/lock-file.ts";
import { processLives } from "../../src/db/process-lives.ts";
import { scratchFolder } from "../helpers/scratch-folder.ts";

let folder: string;
beforeEach(() => {
  folder = scratchFolder("embedded");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = () => startEmbeddedPostgres({ folder, settings: ["fsync=off"] });

async function answers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // Of a server that stops meanwhile the next statement tells.
  client.on("error", () => undefined);
  await client.connect();
  await client.query("select 1");
  await client.end();
}

async function presences(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  // Of a server that stops meanwhile the next statement tells.
  client.on("error", () => undefined);
  await client.connect();
  const { rowCount } = await client.query("select from pg_stat_activity where application_name = 'rollcall-presence'");
  await client.end();
  return rowCount ?? 0;
}

describe("the embedded PostgreSQL", () => {
  test("SIGKILL in the middle of the first start: the next one makes the cluster, or goes on with it", async () => {
    for (const milliseconds of [50, 250, 500, 900, 1300, 1800]) {
      const child = spawn(process.execPath, [path.join(import.meta.dirname, "../helpers/embedded-child.mjs"), folder], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout, "data");
      await sleep(milliseconds);
      const exited = child.exitCode === null ? once(child, "exit") : undefined;
      child.kill("SIGKILL");
      await exited;
      const { url, stop } = await start();
      await answers(url);
      stop();
      expect(readdirSync(folder).filter((name) => name.includes("making"))).toEqual([]);
      rmSync(path.join(folder, "postgres"), { recursive: true, force: true });
    }
  });

  test("the last to leave stops it, though connections of theirs are still on their way out; who leaves others does not", async () => {
    const [first, last] = [await start(), await start()];
    await first.release();
    await answers(last.url);
    const late = new pg.Client({ connectionString: last.url });
    await late.connect();
    await Promise.all([last.release(), sleep(150).then(() => late.end())]);
    expect(readdirSync(path.join(folder, "postgres"))).not.toContain("postmaster.pid");
  });

  test("whoever comes while it is being stopped starts it again", async () => {
    const { stop } = await start();
    const [pid = ""] = readFileSync(path.join(folder, "postgres/postmaster.pid"), "utf8").split("\n");
    process.kill(Number(pid), "SIGINT");
    const again = await start();
    await answers(again.url);
    again.stop();
    stop();
  });

  test("one that is killed while it is used is started again at the same port, and goes when who used it leaves", async () => {
    const troubles: string[] = [];
    const { url, release } = await startEmbeddedPostgres({
      folder,
      settings: ["fsync=off"],
      onTrouble: ({ message }) => void troubles.push(message),
    });
    const pid = () => Number(readFileSync(path.join(folder, "postgres/postmaster.pid"), "utf8").split("\n")[0]);
    for (const signal of ["SIGKILL", "SIGINT"]) {
      const before = pid();
      process.kill(before, signal);
      while (processLives(before)) await sleep(20);
      let again = false;
      while (!again)
        again = await answers(url).then(
          () => true,
          () => sleep(100, false),
        );
      expect(pid()).not.toBe(before);
    }
    expect(troubles).toContain("the embedded PostgreSQL is gone: it is started again");
    // Another who comes and leaves does not take it along: who came back is present again.
    while ((await presences(url)) < 1) await sleep(50);
    await (await start()).release();
    await answers(url);
    await release();
    expect(readdirSync(path.join(folder, "postgres"))).not.toContain("postmaster.pid");
  });

  test("it starts where one was killed whose process id another process has by now", async () => {
    const { stop } = await start();
    const file = path.join(folder, "postgres/postmaster.pid");
    const [, ...rest] = readFileSync(file, "utf8").split("\n");
    stop();
    writeFileSync(file, [process.ppid, ...rest].join("\n"));
    const { url, stop: stopAgain } = await start();
    await answers(url);
    stopAgain();
  });

  test("a cluster whose password is missing is not made anew", async () => {
    const { stop } = await start();
    stop();
    rmSync(path.join(folder, "postgres/password"));
    await expect(start()).rejects.toMatchObject({ code: "misconfigured", message: expect.stringContaining("password is missing") });
  });

  test("data of another major version: it is said which server reads them", async () => {
    const { stop } = await start();
    stop();
    writeFileSync(path.join(folder, "postgres", "PG_VERSION"), "9\n");
    await expect(start()).rejects.toMatchObject({
      code: "misconfigured",
      message: expect.stringMatching(/were made by PostgreSQL 9, .* is PostgreSQL \d+\. Set ROLLCALL_POSTGRES_BIN/),
    });
  });

  test("ROLLCALL_POSTGRES_BIN names the server's programs; a folder without them is said", async () => {
    const chosen = process.env["ROLLCALL_POSTGRES_BIN"];
    const binaries = readableBinaries(postgresUser());
    try {
      process.env["ROLLCALL_POSTGRES_BIN"] = folder;
      await expect(start()).rejects.toMatchObject({ code: "misconfigured", message: expect.stringContaining(folder) });
      process.env["ROLLCALL_POSTGRES_BIN"] = binaries;
      const { url, stop } = await start();
      await answers(url);
      stop();
    } finally {
      if (chosen === undefined) delete process.env["ROLLCALL_POSTGRES_BIN"];
      else process.env["ROLLCALL_POSTGRES_BIN"] = chosen;
    }
  });
});

describe("a lock between processes", () => {
  test("one holds it at a time", async () => {
    const file = path.join(folder, "lock");
    const order: string[] = [];
    const unlock = await lockFile(file);
    const takeSecond = async () => {
      const unlockSecond = await lockFile(file);
      order.push("second");
      unlockSecond();
    };
    const second = takeSecond();
    await sleep(60);
    order.push("first");
    unlock();
    await second;
    expect(order).toEqual(["first", "second"]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("one left by a dead process is taken over, whoever has its id by now", async () => {
    const file = path.join(folder, "lock");
    for (const holder of ["999999999", String(process.pid), ""]) {
      writeFileSync(file, holder);
      utimesSync(file, 1, 1);
      (await lockFile(file))();
    }
  });

  test("a process lives since it started", () => {
    expect(processLives(process.pid, { since: Date.now() })).toBe(true);
    expect(processLives(process.pid, { since: Date.now() - performance.now() - 60_000 })).toBe(false);
    expect(processLives(process.pid)).toBe(true);
  });
});
