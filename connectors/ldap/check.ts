import { Fault, type CheckResult, type Kind, type OpenOptions } from "../contract.ts";
import { checkAccountRights, checkIncrements } from "./active-directory/check.ts";
import type { LdapSettings } from "./config.ts";
import type { Entry } from "./entry.ts";
import { recordReader, isProblem, LOCKED_TIME } from "./records.ts";
import { openDirectorySession, openSession, type Session } from "./session.ts";
import { mayWrite } from "./write.ts";

const PAGED_RESULTS = "1.2.840.113556.1.4.319";
const NAMES = { user: "Users", group: "Groups", unit: "Units" } as const;

/** Asks of the directory everything that a run will ask, once. The first failure that makes the rest impossible ends it. */
export async function checkLdap(options: OpenOptions<LdapSettings>): Promise<CheckResult[]> {
  const { settings } = options;
  const results: CheckResult[] = [];
  const first = openSession(options);
  try {
    const encrypted = settings.startTls ? "StartTLS" : settings.url.toLowerCase().startsWith("ldaps:") ? "TLS" : "no encryption";
    const connected = await attempt(async () => (await first.dedicated()).close());
    if (connected !== undefined) return [{ name: "Connection and sign-in", ok: false, message: connected }];
    results.push({
      name: "Connection and sign-in",
      ok: true,
      message: `${settings.url} (${encrypted}) as ${settings.bindDn ?? "the anonymous user"}`,
    });
  } finally {
    first.close();
  }
  const session = await openDirectorySession(options);
  try {
    const root = await session.rootDse();
    const paging = root.supportedControls.includes(PAGED_RESULTS);
    results.push({
      name: "Paged results",
      ok: paging,
      message: paging
        ? "supported"
        : "The directory does not announce paged results (RFC 2696) to the sync account: allow the control, and reading of the root entry's supportedControl.",
    });
    if (session.settings.flavour === "activeDirectory")
      results.push(await checkIncrements(session, (settings.users ?? settings.groups ?? settings.units)?.base ?? ""));
    const samples = new Map<Kind, Entry>();
    for (const kind of ["user", "group", "unit"] as const) {
      const found = await checkEntries(session, kind);
      if (found?.sample) samples.set(kind, found.sample);
      if (found) results.push(found.result);
    }
    results.push(
      ...(session.settings.disable?.kind === "userAccountControl"
        ? await checkAccountRights(session, { samples, needed: settings.disable !== undefined })
        : await checkWriting(session, samples)),
    );
    return results;
  } finally {
    session.close();
  }
}

async function checkEntries(session: Session, kind: Kind): Promise<{ result: CheckResult; sample?: Entry } | undefined> {
  const reader = recordReader(session.settings, kind);
  if (reader === undefined) return undefined;
  const { base, filter } = reader.entries;
  const name = NAMES[kind];
  let sample: Entry | undefined;
  const failed = await attempt(async () => {
    const page = await session.call((client) =>
      client.page({
        ...reader.entries,
        shape: reader.shape,
        controls: reader.controls,
        pageSize: 1,
        what: `the read of ${name.toLowerCase()} under ${base}`,
      }),
    );
    sample = page.entries[0];
  });
  if (failed !== undefined) return { result: { name, ok: false, message: failed } };
  if (sample === undefined)
    return {
      result: {
        name,
        ok: false,
        message: `No entry under ${base} matches ${filter}, or the sync account may not see them. Check base and filter.`,
      },
    };
  const record = reader.read(sample);
  if (isProblem(record)) return { result: { name, ok: false, message: record.message }, sample };
  const { nativeIdAttribute, changedAttribute } = session.settings;
  const increments =
    record.changedAt === undefined
      ? `; ${changedAttribute} can't be read, so every read is a full one`
      : `, changed ${record.changedAt.toISOString()}`;
  return { result: { name, ok: true, message: `${sample.dn}: ${nativeIdAttribute} ${record.nativeId}${increments}` }, sample };
}

/** Best effort: nothing is changed, so an access rule that looks at values may still refuse the real thing. */
async function checkWriting(session: Session, samples: ReadonlyMap<Kind, Entry>): Promise<CheckResult[]> {
  const { disable, memberAttributes } = session.settings;
  const user = samples.get("user");
  const group = samples.get("group");
  if (disable === undefined || disable.kind === "userAccountControl") return [];
  const results: CheckResult[] = [];
  if (user !== undefined) {
    const attribute = disable.kind === "ppolicy" ? LOCKED_TIME : disable.attribute;
    const value = disable.kind === "ppolicy" ? "190001010000Z" : disable.disabledValue;
    // Taking a value away must not hit one that is there.
    const probe = disable.kind === "ppolicy" ? value : `${value}-rollcall-check`;
    const may = await mayWrite(session, { dn: user.dn, attribute, value: probe });
    results.push({ name: "Disabling accounts", ok: may === true, message: may === true ? `${attribute} may be written` : may });
  }
  const member = memberAttributes.find((attribute) => attribute.toLowerCase() === "member");
  if (group !== undefined && member !== undefined) {
    const may = await mayWrite(session, { dn: group.dn, attribute: member, value: `cn=rollcall-check,${group.dn}` });
    results.push({ name: "Removing group members", ok: may === true, message: may === true ? `${member} may be written` : may });
  }
  return results;
}

/** The sentence of a Fault, or nothing. */
async function attempt(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}
