import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { checkEntra } from "../../../connectors/entra/check.ts";
import { entraSettings } from "../../../connectors/entra/config.ts";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import { ALL_PERMISSIONS, startGraph, type Graph } from "../../counterparts/graph/server.ts";
import { drain } from "../../contract/source.ts";
import { company, openOptions, settingsOf } from "./opened.ts";

let graph: Graph;
afterEach(() => graph?.close());

export function certificate(): { certificate: string; privateKey: string } {
  const folder = mkdtempSync(path.join(os.tmpdir(), "entra-certificate-"));
  try {
    const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
    const options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=rollcall"];
    execFileSync("openssl", [...options, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { certificate: readFileSync(cert, "utf8"), privateKey: readFileSync(key, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("the check of a connection", () => {
  test("all is well", async () => {
    ({ graph } = await company());
    const results = await checkEntra(openOptions(graph, { units: "administrativeUnits" }));
    expect(results.map(({ name, ok }) => [name, ok])).toEqual([
      ["Sign-in", true],
      ["Users", true],
      ["Groups", true],
      ["Administrative units", true],
      ["Write-back: disabling and enabling accounts", true],
      ["Write-back: signing people out", true],
      ["Write-back: taking members out of groups", true],
    ]);
    expect(results.filter(({ message }) => message.includes("was not granted"))).toEqual([]);
  });

  test("each missing permission is named, with the way to it in the console", async () => {
    for (const permission of ALL_PERMISSIONS) {
      graph = await startGraph({
        granted: ALL_PERMISSIONS.filter(
          (each) => each !== permission && !(permission === "GroupMember.Read.All" && each === "GroupMember.ReadWrite.All"),
        ),
      });
      const results = await checkEntra(openOptions(graph, { units: "administrativeUnits" }));
      const [missing] = results.filter((each) => each.permission === permission);
      expect(missing?.message).toMatch(/App registrations > your app > API permissions > .*Application permissions/);
      expect(missing?.message).toContain(permission);
      expect(results.filter(({ ok }) => !ok)).toHaveLength(permission.endsWith("Read.All") ? 1 : 0);
      await graph.close();
    }
  });

  test("a wrong secret, application or tenant is told in the console's words, and the secret in none", async () => {
    graph = await startGraph();
    const wrong = [
      [{ clientSecret: "another-secret" }, /Certificates & secrets/],
      [{ clientId: "00000000-0000-4000-8000-000000000001" }, /Application \(client\) ID/],
      [{ tenant: "elsewhere.example" }, /Directory \(tenant\) ID/],
    ] as const;
    for (const [settings, says] of wrong) {
      const results = await checkEntra(openOptions(graph, settings));
      expect(results).toEqual([{ name: "Sign-in", ok: false, message: expect.stringMatching(says) }]);
      expect(JSON.stringify(results)).not.toMatch(/another-secret|the-secret-of/);
    }
  });
});

describe("signing in", () => {
  test("with a certificate; with that of another it is refused", async () => {
    const [mine, others] = [certificate(), certificate()];
    graph = await startGraph({ certificate: mine.certificate });
    const source = await openEntraSource(openOptions(graph, mine));
    expect((await drain(source.readAll("user"))).end.finalCursor).toBe(true);
    await source.close();
    await expect(openEntraSource(openOptions(graph, others))).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringMatching(/Certificates/),
    });
    await expect(openEntraSource(openOptions(graph, { ...mine, privateKey: others.privateKey }))).rejects.toMatchObject({ kind: "denied" });
  });

  test("one token for a whole read; one that was revoked is renewed; one that lives shortly is renewed in time", async () => {
    ({ graph } = await company());
    const source = await openEntraSource(openOptions(graph));
    await drain(source.readAll("user"));
    expect(graph.signIn.issued()).toBe(1);
    graph.signIn.revokeTokens();
    await drain(source.readAll("user"));
    expect(graph.signIn.issued()).toBe(2);
    await source.close();
    await graph.close();

    let clock = Date.parse("2026-01-01T00:00:00Z");
    ({ graph } = await company({ tokenSeconds: 3600, now: () => new Date(clock) }));
    const later = await openEntraSource({ ...openOptions(graph), now: () => new Date(clock) });
    clock += 54 * 60_000;
    await drain(later.readAll("user"));
    expect(graph.signIn.issued()).toBe(1);
    clock += 2 * 60_000;
    await drain(later.readAll("user"));
    expect(graph.signIn.issued()).toBe(2);
    await later.close();
  });
});

describe("settings", () => {
  const parsed = (settings: Record<string, unknown>) => entraSettings.safeParse(settings);

  test("one proof of identity, complete; addresses that keep it secret; names of properties", async () => {
    graph = await startGraph();
    const good = settingsOf(graph);
    const { clientSecret: _secret, ...bare } = good;
    const pem = certificate();
    expect(parsed(good).success).toBe(true);
    expect(parsed({ ...bare, ...pem }).success).toBe(true);
    const bad = [
      bare,
      { ...good, ...pem },
      { ...bare, certificate: pem.certificate },
      { ...bare, ...pem, privateKey: "no key" },
      { ...good, graphUrl: "http://graph.example.com/v1.0" },
      { ...good, graphUrl: "https://user:password@graph.example.com/v1.0" },
      { ...good, loginUrl: "ftp://login.example.com" },
      { ...good, clientId: "no id" },
      { ...good, tenant: "../other" },
      { ...good, clientSecret: "0b9f6f0e-7c1d-4a55-b6cf-2e8f1f3a9d11" },
      { ...good, userProperties: ["members"] },
      { ...good, userProperties: ["a,b"] },
      { ...good, unknown: true },
    ];
    for (const settings of bad) expect(parsed(settings).success).toBe(false);
  });
});
