import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { connectors } from "../../connectors/registry.ts";
import { validateDefinition, type ValidateOptions } from "../../src/connections/validate.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { AppError, type Problem } from "../../src/errors.ts";
import { rsaKey } from "../helpers/rsa-key.ts";

const ldap = {
  name: "company",
  connector: "ldap",
  settings: { url: "ldaps://ldap.example.com", bindDn: "cn=sync", bindPassword: "s3cret-of-the-bind", users: { base: "dc=example" } },
  mapping: { user: { attributes: { userName: "account.uid" } } },
};

function problemsOf(definition: unknown, options?: ValidateOptions): readonly Problem[] {
  try {
    validateDefinition(definition, options);
    return [];
  } catch (error) {
    if (error instanceof AppError) return error.problems;
    throw error;
  }
}

const withAttributes = (attributes: object, rest: object = {}) => ({
  ...ldap,
  mapping: { user: { attributes: { userName: "account.uid", ...attributes } }, ...rest },
});

describe("a connection's definition", () => {
  test("M3: a good one is taken, with its defaults", () => {
    expect(validateDefinition(ldap)).toMatchObject({
      name: "company",
      timeZone: "UTC",
      limits: { disable: { count: 500 } },
      mapping: { match: ["userName"], situations: { deleted: "deactivate" } },
    });
  });

  test.each<[string, object, string, RegExp]>([
    [
      "an expression that does not parse, with its position",
      withAttributes({ title: "account.title ==" }),
      "mapping.user.attributes.title",
      /^at position \d+: .*expected string/,
    ],
    [
      "an unknown variable",
      withAttributes({ title: "acount.title" }),
      "mapping.user.attributes.title",
      /^at position 1: Unknown variable: acount/,
    ],
    [
      "the wrong type, with the expected one",
      withAttributes({ active: "1 + 1" }),
      "mapping.user.attributes.active",
      /expected bool, but `1 \+ 1` is int/,
    ],
    [
      "a scope that is no condition",
      { ...ldap, mapping: { user: { scope: "'yes'", attributes: { userName: "account.uid" } } } },
      "mapping.user.scope",
      /expected bool, but `'yes'` is string/,
    ],
    [
      "an attribute that a person lacks",
      withAttributes({ shoeSize: "account.x" }),
      "mapping.user.attributes.shoeSize",
      /there is no user attribute "shoeSize"; there are userName,/,
    ],
    [
      "an attribute that a group lacks",
      { ...ldap, mapping: { group: { attributes: { displayName: "account.cn", members: "account.member" } } } },
      "mapping.group.attributes.members",
      /there are displayName, externalId, description/,
    ],
    ["a schedule that is none", { ...ldap, schedule: "every day" }, "schedule", /"every day" is not a cron expression/],
    ["a schedule of seconds", { ...ldap, schedule: "*/20 * * * * *" }, "schedule", /more than once a minute/],
    ["a time zone that is none", { ...ldap, timeZone: "Europe/Atlantis" }, "timeZone", /not a time zone/],
    ["a connector that is none", { ...ldap, connector: "fax" }, "connector", /there is no connector "fax"; there are csv, .*ldap, .*scim/],
    [
      "a setting that the connector does not know",
      { ...ldap, settings: { ...ldap.settings, port: 389 } },
      "settings",
      /Unrecognized key: "port"/,
    ],
    ["a setting that is left out", { ...ldap, settings: { ...ldap.settings, url: undefined } }, "settings.url", /^is missing$/],
    ["a setting of the wrong kind", { ...ldap, settings: { ...ldap.settings, url: 5 } }, "settings.url", /expected string/],
    ["a name with spaces", { ...ldap, name: "My company" }, "name", /lower-case letters/],
    [
      "people without a login name",
      { ...ldap, mapping: { user: { attributes: { title: "account.title" } } } },
      "mapping.user.attributes.userName",
      /is needed to create people/,
    ],
    ["matching on what is not mapped", withAttributes({}, { match: ["employeeNumber"] }), "mapping.match.0", /does not fill/],
    [
      "notifications that nobody sends",
      { ...ldap, policy: { notifications: { enabled: true } } },
      "policy.notifications",
      /knows no change/,
    ],
    ["a target that can't receive", { ...ldap, policy: { provision: {} } }, "policy.provision", /can't receive people/],
    ["an unknown key", { ...ldap, shedule: "* * * * *" }, "definition", /Unrecognized key: "shedule"/],
    ["something that is no definition", ["a list"] as object, "definition", /expected object/],
  ])("is refused with field and reason: %s", (_, definition, field, message) => {
    const problems = problemsOf(definition);
    expect(problems.map((problem) => problem.field)).toContain(field);
    expect(problems.find((problem) => problem.field === field)?.message).toMatch(message);
  });

  test("every problem is named at once", () => {
    const problems = problemsOf({
      name: "Bad Name",
      connector: "ldap",
      settings: { url: 7 },
      schedule: "never",
      timeZone: "Nowhere",
      mapping: { user: { scope: "1", attributes: { userName: "account.", nickname: "account.x" } } },
      precedence: "high",
    });
    expect(problems.map(({ field }) => field)).toEqual(
      expect.arrayContaining([
        "name",
        "precedence",
        "settings.url",
        "schedule",
        "timeZone",
        "mapping.user.scope",
        "mapping.user.attributes.userName",
        "mapping.user.attributes.nickname",
      ]),
    );
  });

  test("invariant 8: no problem repeats a secret", () => {
    const problems = problemsOf({ ...ldap, settings: { ...ldap.settings, url: "gopher://x", bindDn: undefined } });
    expect(problems.length).toBeGreaterThan(0);
    expect(JSON.stringify(problems)).not.toContain("s3cret-of-the-bind");
  });
});

describe("secrets by reference", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-secrets-"));
    writeFileSync(path.join(folder, "bind.password"), "from a file\n");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const withPassword = (bindPassword: unknown) => ({ ...ldap, settings: { ...ldap.settings, bindPassword } });

  test("are taken from the environment, or from a file beside the definition", () => {
    expect(
      validateDefinition(withPassword({ env: "PW" }), { sources: { environment: { PW: "from the environment" } } }).settings[
        "bindPassword"
      ],
    ).toBe("from the environment");
    expect(validateDefinition(withPassword({ file: "bind.password" }), { sources: { folder } }).settings["bindPassword"]).toBe(
      "from a file",
    );
  });

  test.each([
    [{ env: "PW" }, /environment variable PW is not set/],
    [{ file: "missing" }, /missing can't be read \(ENOENT\)/],
  ])("a missing one is named: %j", (reference, message) => {
    const problems = problemsOf(withPassword(reference), { sources: { environment: {}, folder } });
    expect(problems).toEqual([{ field: "settings.bindPassword", message: expect.stringMatching(message) }]);
  });

  test.each([[{ env: "PATH" }], [{ file: "bind.password" }]])("where nobody says what may be read, nothing is: %j", (reference) => {
    expect(problemsOf(withPassword(reference))).toEqual([
      { field: "settings.bindPassword", message: expect.stringContaining("given itself") },
    ]);
  });
});

describe("files of this server", () => {
  let folder: string;
  const at = (...names: string[]) => path.join(folder, ...names);
  const refused = (file: string, { folders = [at("data")], stored }: { folders?: string[]; stored?: object } = {}) =>
    problemsOf({ name: "hr", connector: "csv", settings: { file, idColumn: "id" } }, { files: { folders, stored: { ...stored } } }).map(
      ({ field }) => field,
    );
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-places-"));
    for (const name of ["data/inner", "data-evil", "elsewhere"]) mkdirSync(at(name), { recursive: true });
    symlinkSync(at("elsewhere"), at("data/way-out"));
    symlinkSync(at("nothing-yet"), at("data/to-nothing"));
    symlinkSync(at("data/inner"), at("data/way-in"));
    symlinkSync(at("data"), at("alias"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("may be named within the folders that are allowed, whether they are there yet or not", () => {
    for (const name of ["data/a.csv", "data/inner/a.csv", "data/not-yet/a.csv", "data/way-in/a.csv", "data/inner/../a.csv", "data/..a.csv"])
      expect([name, refused(`${folder}/${name}`)]).toEqual([name, []]);
    expect(refused(at("alias/a.csv"), { folders: [`${at("alias")}/`] })).toEqual([]);
    expect(refused("/etc/passwd", { folders: ["/"] })).toEqual([]);
  });

  test("may be named nowhere else, by whatever spelling and over whatever link", () => {
    const spellings = [
      "data-evil/a.csv",
      "data/../elsewhere/a.csv",
      "data/../data-evil/a.csv",
      "data/way-out/a.csv",
      "data/way-out/not-yet/a.csv",
      "data/to-nothing",
      "data/to-nothing/a.csv",
      "data/a.csv\0/../../elsewhere",
      "elsewhere",
    ];
    for (const name of spellings) expect([name, refused(`${folder}/${name}`)]).toEqual([name, ["settings.file"]]);
    for (const file of ["data/a.csv", "./a.csv", "../../etc/passwd", "/etc/passwd", "/proc/self/environ", `file://${at("data/a.csv")}`])
      expect([file, refused(file)]).toEqual([file, ["settings.file"]]);
    expect(refused(at("data/a.csv"), { folders: [] })).toEqual(["settings.file"]);
  });

  test("stay where they were set, as long as the whole part stays", () => {
    expect(refused("/etc/passwd", { stored: { file: "/etc/passwd" } })).toEqual([]);
    expect(refused("/etc/shadow", { stored: { file: "/etc/passwd" } })).toEqual(["settings.file"]);
    const folderOf = (match: string) => ({
      name: "hr",
      connector: "csv",
      settings: { folder: { path: "/var/feeds", match }, idColumn: "id" },
    });
    const files = { folders: [], stored: { folder: { path: "/var/feeds", match: "hr-*.csv" } } };
    expect(problemsOf(folderOf("hr-*.csv"), { files })).toEqual([]);
    expect(problemsOf(folderOf("*"), { files }).map(({ field }) => field)).toEqual(["settings.folder.path"]);
  });

  test("no connector has a setting that looks like one and is not declared", () => {
    const remote = new Set(["csv sftp.path"]);
    for (const { name, settings, localPaths = [] } of Object.values(connectors)) {
      const found = namesIn(z.toJSONSchema(settings, { io: "input", unrepresentable: "any" })).filter((field) =>
        /(^|\.|[a-z])(file|folder|path|directory)s?$/i.test(field),
      );
      const paths = found.filter((field) => !remote.has(`${name} ${field}`) && !localPaths.some((each) => each.startsWith(`${field}.`)));
      expect([name, paths.sort()]).toEqual([name, [...localPaths].sort()]);
    }
  });
});

/** Dotted names of all settings of a form. */
function namesIn(schema: unknown): string[] {
  const { properties = {} } = schema as { properties?: Record<string, unknown> };
  return Object.entries(properties).flatMap(([name, inner]) => [name, ...namesIn(inner).map((each) => `${name}.${each}`)]);
}

test.each(readdirSync(path.join(projectFolder(), "config/mappings")))("the example config/mappings/%s is a good definition", (name) => {
  const definition: unknown = parseYaml(readFileSync(path.join(projectFolder(), "config/mappings", name), "utf8"));
  const key = { type: "service_account", client_email: "a@b.test", private_key: "-----BEGIN PRIVATE KEY-----" };
  const environment = {
    LDAP_PASSWORD: "x",
    HR_SFTP_KEY: "x",
    APP_TOKEN: "x",
    ENTRA_CLIENT_SECRET: "x",
    OIDC_CLIENT_SECRET: "x",
    ENTRA_SSO_CLIENT_SECRET: "x",
    GOOGLE_SSO_CLIENT_SECRET: "x",
    OKTA_SSO_CLIENT_SECRET: "x",
    GOOGLE_SERVICE_ACCOUNT_KEY: JSON.stringify(key),
  };
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-examples-"));
  try {
    const { privateKey } = rsaKey("okta");
    writeFileSync(path.join(folder, "okta-private-key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    expect(() => validateDefinition(definition, { sources: { environment, folder } })).not.toThrow();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
