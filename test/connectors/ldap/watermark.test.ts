import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { cursorAfter, resumeFrom, type Watermark } from "../../../connectors/ldap/watermark.ts";
import { drain } from "../../contract/source.ts";
import { ldapOptions, openDirectory } from "../../helpers/ldap.ts";

const run = promisify(execFile);
const number = (time: string, provider: string) => `${time}.000000Z#000000#${provider}#000000`;
const standing = (csn: Record<string, string> = {}, at?: string): Watermark => ({ server: "it", csn, ...(at === undefined ? {} : { at }) });

test("a provider that was cut off for hours and comes back: what it changed meanwhile is read (slapd)", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "rollcall-slapd-"));
  const entry = (uid: string, csn: string) =>
    `\ndn: uid=${uid},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: ${uid}\ncn: ${uid}\nsn: ${uid}\nentryCSN: ${csn}\nmodifyTimestamp: ${csn.slice(0, 14)}Z\n`;
  // As replication leaves it: an entry with another provider's number, which the suffix has heard of.
  const replicate = async (uid: string, csn: string) => {
    const of = ["-f", path.join(folder, "slapd.conf"), "-b", "dc=example,dc=org"];
    const lines = (await run("/usr/sbin/slapcat", of)).stdout.split("\n").filter((line) => !/^contextCSN:.*#002#/.test(line));
    const text = lines.map((line) => (line.startsWith("contextCSN:") ? `${line}\ncontextCSN: ${csn}` : line)).join("\n");
    await writeFile(path.join(folder, "all.ldif"), `${text}${entry(uid, csn)}`);
    await rm(path.join(folder, "db", "data.mdb"));
    await run("/usr/sbin/slapadd", [...of, "-q", "-l", path.join(folder, "all.ldif")]);
  };
  const reading = async <T>(work: (source: Awaited<ReturnType<typeof openLdapSource>>) => Promise<T>): Promise<T> => {
    const directory = await openDirectory({ folder });
    const source = await openLdapSource(ldapOptions(directory));
    try {
      return await work(source);
    } finally {
      await source.close();
      await directory.stop();
    }
  };
  try {
    await (await openDirectory({ folder })).stop();
    await replicate("there", number("20260101080000", "002"));
    const { end } = await reading((source) => drain(source.readAll("user")));
    await replicate("away", number("20260101093000", "002"));
    await reading(async (source) => {
      if (!source.readChanges) throw new Error("the LDAP connector has increments");
      const { records } = await drain(source.readChanges("user", end.cursor ?? {}));
      expect(records.map(({ attributes }) => attributes["uid"])).toContain("away");
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe("where an incremental read begins", () => {
  const since = (csn: Record<string, string>, at = "20260101120000Z") => ({ version: 1, kind: "user", server: "it", at, csn });

  test("a provider that stays silent holds nobody up; one that has written is read from its last number on", () => {
    const old = { "001": number("20260101120000", "001"), "002": number("20250101000000", "002") };
    const resume = (csn: Record<string, string>) => resumeFrom(since(old), { kind: "user", watermark: standing(csn) });
    expect(resume(old)).toEqual({ at: "20260101120000Z", csn: number("20260101120000", "000") });
    expect(resume({ ...old, "001": number("20260101130000", "001") })).toEqual(resume(old));
    expect(resume({ ...old, "002": number("20260101100000", "002") })).toEqual({
      at: "20250101000000Z",
      csn: number("20250101000000", "000"),
    });
  });

  test("a provider that was not there before ends the increments: its changes may be of any age", () => {
    const old = { "001": number("20260101120000", "001") };
    const watermark = standing({ ...old, "002": number("20260101120001", "002") });
    expect(resumeFrom(since(old), { kind: "user", watermark })).toHaveProperty("expired");
  });

  test("a directory that tells no time, with a clock behind ours, is read by its own times alone", () => {
    const startedAt = new Date("2026-01-01T12:00:00Z");
    const endedAt = new Date("2026-01-01T12:00:20Z");
    const after = (latest: string | undefined, from?: string) =>
      cursorAfter({
        kind: "user",
        watermark: standing(),
        seen: { missing: false, ...(latest === undefined ? {} : { latest }) },
        startedAt,
        endedAt,
        ...(from === undefined ? {} : { from }),
      })?.["at"];
    // An hour behind: changes of the read's twenty seconds are read again.
    expect(after("20260101110015Z")).toBe("20260101105955Z");
    // Whoever changed last is deleted, or left the filter: nothing is seen.
    expect(after(undefined, "20260101105955Z")).toBe("20260101105955Z");
    expect(after(undefined)).toBe("19700101000000Z");
    // Ahead of ours.
    expect(after("20260101140000Z", "20260101105955Z")).toBe("20260101115500Z");
  });
});
