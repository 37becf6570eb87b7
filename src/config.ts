import { randomBytes } from "node:crypto";
import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { areProxies, isCidr } from "../connectors/kit/address.ts";
import { makeDataFolder, projectFolder } from "./db/folder.ts";
import { sealingKey, type KeyRing, type SealingKey } from "./db/envelope.ts";
import { AppError, messageOf, type Problem } from "./errors.ts";
import { signInSettings } from "./sign-in-settings.ts";

const PROXIES = "must be a number of hops, or addresses and networks of proxies, such as 127.0.0.1, 10.20.0.0/16";
const NO_PROXY = { path: ["clientCertificate"], error: "needs trustProxy: the header of nobody but a trusted proxy is believed" };
const logLevel = z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]);
const KEY_FORM = "must be 32 bytes as 64 hexadecimal digits or base64 (`openssl rand -hex 32` makes one)";

function wholeNumber(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });
}

/** Everything an operator sets, with its default. The environment wins over config/*.yaml. */
export const configSchema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1"),
  port: wholeNumber(0, 65_535).default(8080),
  databaseUrl: z
    .url({ protocol: /^postgres(ql)?$/, error: "must be a URL such as postgresql://user:password@host:5432/database" })
    .optional(),
  data: z.string().min(1).default("./data"),
  key: z
    .string()
    .refine((value) => decodeKey(value) !== undefined, KEY_FORM)
    .optional(),
  /** Keys that a rotation has replaced, kept to open what they sealed until the rotation is through. */
  olderKeys: z.array(z.string().refine((value) => decodeKey(value) !== undefined, KEY_FORM)).default([]),
  logLevel: logLevel.default("info"),
  /** What this node does: serve requests, work off jobs, or both. */
  roles: z
    .array(z.enum(["web", "worker"]))
    .min(1)
    .default(["web", "worker"]),
  worker: z
    .strictObject({
      /** Jobs at once on this node. */
      concurrency: wholeNumber(1, 64).default(4),
    })
    .prefault({}),
  http: z
    .strictObject({
      /** Most bytes of a request body. */
      bodyLimit: wholeNumber(1024, 64 * 1024 * 1024).default(1024 * 1024),
      /** By which address connected systems reach this server: change notifications come to PUBLIC_URL/hooks/CONNECTION. */
      publicUrl: z
        .url({ protocol: /^https$/, error: "must be an https address, such as https://rollcall.example.com" })
        .refine((url) => !/[?#]/.test(url) && !/^https:\/\/[^/]*@/.test(url), "must be an address without user, query and fragment")
        .optional(),
      /** Whom to tell of a weakness, as /.well-known/security.txt says it (RFC 9116); there is none without a contact. */
      security: z
        .strictObject({
          contacts: z
            .array(z.url({ protocol: /^(https|mailto|tel)$/, error: "must be an address: mailto:, tel: or https:" }))
            .max(10)
            .default([]),
          policy: z.url({ protocol: /^https$/ }).optional(),
          languages: z
            .array(z.string().regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/, "must be language tags, such as en or pt-BR"))
            .max(20)
            .default([]),
        })
        .optional(),
      /** Hops of trusted proxies, or their addresses, as Express takes them. */
      trustProxy: z.custom<boolean | number | string>(areProxies, PROXIES).default(false),
      /** Most requests of one SCIM token, on each node; a connection may set its own. No limit when absent. */
      rateLimit: z
        .strictObject({ perSecond: z.number().gt(0).max(100_000), burst: z.number().int().min(1).max(1_000_000).optional() })
        .optional(),
      /** Where a trusted proxy puts the client's certificate, and in which form. */
      clientCertificate: z
        .strictObject({
          header: z
            .string()
            .regex(/^[A-Za-z0-9-]{1,64}$/, "must be the name of a header")
            .transform((name) => name.toLowerCase()),
          /** rfc9440: `:base64:`; pem: percent-encoded; sha256: hexadecimal digits. */
          format: z.enum(["rfc9440", "pem", "sha256"]).default("rfc9440"),
        })
        .optional(),
    })
    .refine(({ clientCertificate, trustProxy }) => clientCertificate === undefined || Boolean(trustProxy), NO_PROXY)
    .prefault({}),
  /** What connections and key sets may reach. */
  outbound: z
    .strictObject({
      /** Networks (CIDR) of loopback, link-local, private or reserved addresses that may be connected to; none unless named. */
      allow: z.array(z.string().refine(isCidr, "must be networks such as 10.20.0.0/16 or fd00::/8")).max(200).default([]),
      /** The proxy to all hosts that `direct` does not name. */
      proxy: z.url({ protocol: /^https?$/, error: "must be the URL of an HTTP proxy, such as http://proxy.example.com:3128" }).optional(),
      /** Hosts spoken to without the proxy: names (and all below them), addresses, or "*". */
      direct: z.array(z.string().min(1)).max(200).default([]),
    })
    .prefault({}),
  connections: z
    .strictObject({
      /** Folders of this server in which files may stand that connections are pointed to by API; none unless named. */
      folders: z.array(z.string().max(1000).refine(path.isAbsolute, "must be whole paths, such as /srv/feeds")).max(100).default([]),
    })
    .prefault({}),
  signIn: signInSettings.prefault({}),
  modules: z.array(z.string()).default(["register", "dashboard"]),
});

export type Config = z.output<typeof configSchema>;

/** Environment variables and the settings that they set; of two for one setting the last counts. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOST: "host",
  PORT: "port",
  DATABASE_URL: "databaseUrl",
  ROLLCALL_DATA: "data",
  ROLLCALL_KEY: "key",
  LOG_LEVEL: "logLevel",
  ROLLCALL_PUBLIC_URL: "http.publicUrl",
  ROLLCALL_OUTBOUND_ALLOW: "outbound.allow",
  https_proxy: "outbound.proxy",
  HTTPS_PROXY: "outbound.proxy",
  ROLLCALL_SMTP_PASSWORD: "signIn.notify.email.smtp.password",
  ROLLCALL_SMS_SECRET: "signIn.notify.sms.http.secret",
  ROLLCALL_WEBHOOK_SECRET: "signIn.notify.webhook.secret",
  no_proxy: "outbound.direct",
  NO_PROXY: "outbound.direct",
};

/** Settings that a variable gives as a list, with commas between. */
const LISTS: ReadonlySet<string> = new Set(["outbound.allow", "outbound.direct"]);

export interface ConfigSources {
  environment: Readonly<Record<string, string | undefined>>;
  /** Folder of *.yaml; the project's config/ when absent. */
  folder?: string;
}

/** Reads config/*.yaml in alphabetical order, then the environment. Throws `misconfigured` with every problem at once. */
export function readConfig({ environment, folder = path.join(projectFolder(), "config") }: ConfigSources): Config {
  const problems: Problem[] = [];
  const merged: Record<string, unknown> = {};
  const sourceOf: Record<string, string> = {};
  for (const name of ["default.yaml", "local.yaml"]) {
    const file = path.join(folder, name);
    if (!existsSync(file)) continue;
    try {
      const value: unknown = parseYaml(readFileSync(file, "utf8")) ?? {};
      if (typeof value !== "object" || Array.isArray(value)) throw new Error("must be a mapping of settings");
      for (const [key, setting] of Object.entries(value as object)) {
        merged[key] = setting;
        sourceOf[key] = `config/${name}`;
      }
    } catch (error) {
      problems.push({ field: `config/${name}`, message: messageOf(error).split("\n")[0] ?? "is not YAML" });
    }
  }
  for (const [variable, key] of Object.entries(ENVIRONMENT)) {
    const value = environment[variable];
    if (value === undefined || value === "") continue;
    put(merged, { path: key.split("."), value: LISTS.has(key) ? value.split(",").flatMap((each) => each.trim() || []) : value });
    sourceOf[key] = variable;
  }
  const result = configSchema.safeParse(merged);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const [top, ...rest] = issue.path.map(String);
      const source =
        top === undefined ? "config" : (sourceOf[[top, ...rest].join(".")] ?? sourceOf[`${top}.${rest[0]}`] ?? sourceOf[top] ?? "config");
      const field = source.startsWith("config") ? `${source}: ${[top, ...rest].filter(Boolean).join(".")}` : source;
      problems.push({ field, message: issue.message });
    }
  }
  if (problems.length || !result.success) {
    throw new AppError(
      "misconfigured",
      ["Rollcall can't start: its configuration has problems.", ...problems.map(({ field, message }) => `  ${field}: ${message}`)].join(
        "\n",
      ),
      { problems },
    );
  }
  // A relative folder counts from the project's own: whoever types a command elsewhere means the same database.
  return { ...result.data, data: path.resolve(projectFolder(), result.data.data) };
}

/** Sets what a path of keys names; what stands beside it stays. */
function put(settings: Record<string, unknown>, { path: [key, ...below], value }: { path: readonly string[]; value: unknown }): void {
  if (key === undefined) return;
  if (below.length === 0) settings[key] = value;
  else {
    const inner = isMapping(settings[key]) ? { ...settings[key] } : {};
    put(inner, { path: below, value });
    settings[key] = inner;
  }
}

/** Where people's browsers reach this server, without a slash at the end: links in messages lead there, and there alone. */
export function baseUrlOf({ http, port = 8080 }: { http: Pick<Config["http"], "publicUrl">; port?: number | undefined }): string {
  return http.publicUrl?.replace(/\/+$/, "") ?? `http://localhost:${port}`;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** 32 bytes from 64 hexadecimal digits or base64. */
export function decodeKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, "hex") : Buffer.from(trimmed, "base64");
  return bytes.length === 32 ? bytes : undefined;
}

/** The master key: ROLLCALL_KEY, or the key file in the data folder (made with mode 0600 when missing; line 1 is current, others are older). */
export function loadKeyRing(config: Config): KeyRing {
  const older = config.olderKeys.flatMap((text) => decodeKey(text) ?? []).map(sealingKey);
  if (config.key) {
    const bytes = decodeKey(config.key);
    if (!bytes) throw new AppError("misconfigured", `ROLLCALL_KEY ${KEY_FORM}.`);
    return { current: sealingKey(bytes), older };
  }
  const file = keyFile(config);
  if (!existsSync(file)) makeKeyFile(file);
  return followKeyFile(file, older);
}

function makeKeyFile(file: string): void {
  makeDataFolder(path.dirname(file));
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, randomBytes(32).toString("hex") + "\n", { mode: 0o600 });
  try {
    // Appears whole or not at all; of two processes that start at once, the first one's key stays.
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
}

/** How long a process may go on with the keys that it has read; a rotation waits for longer. */
export const KEY_FILE_CHECKED_EVERY_MS = 100;

/** A ring that reads the file again when it has changed, so that a server goes on through a rotation beside it. */
function followKeyFile(file: string, older: readonly SealingKey[]): KeyRing {
  let seen = "";
  let checked = Number.NEGATIVE_INFINITY;
  let keys = readKeyFile(file);
  const latest = () => {
    if (performance.now() - checked < KEY_FILE_CHECKED_EVERY_MS) return keys;
    checked = performance.now();
    const { ino, mtimeMs, size } = statSync(file);
    const version = `${ino} ${mtimeMs} ${size}`;
    if (version !== seen) keys = readKeyFile(file);
    seen = version;
    return keys;
  };
  return {
    get current() {
      return latest().current;
    },
    get older() {
      return [...latest().older, ...older];
    },
  };
}

function readKeyFile(file: string): KeyRing {
  const keys = readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const bytes = decodeKey(line);
      if (!bytes) throw new AppError("misconfigured", `${file}: each line ${KEY_FORM}.`);
      return sealingKey(bytes);
    });
  const [current, ...older] = keys;
  if (!current) throw new AppError("misconfigured", `${file} is empty; it must hold the master key.`);
  return { current, older };
}

/** Replaces the key file in one step: the first key is in use, the others only open what they sealed. */
export function writeKeyFile(file: string, keys: readonly SealingKey[]): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, keys.map(({ bytes }) => `${bytes.toString("hex")}\n`).join(""), { mode: 0o600, flush: true });
  renameSync(draft, file);
}

/** The environment, read here and nowhere else. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

export function keyFile(config: Config): string {
  return path.join(config.data, "master.key");
}
