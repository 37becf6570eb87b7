import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { Fault, type WriteBack } from "../contract.ts";
import { openClient, SCOPES, type OktaClient, type OktaOptions } from "./client.ts";
import { removeFromGroup } from "./group-write.ts";
import { standingOf } from "./records.ts";

const standing = z.object({ status: z.string(), transitioningToStatus: z.string().nullish() });
type Standing = z.output<typeof standing>;

/** How often, and how long after another, a deactivation that runs in the background is looked at. */
const LOOKS = 10;
const BETWEEN_LOOKS_MS = 1000;
/** Who is so can't have a session of Okta's. */
const WITHOUT_SESSIONS: ReadonlySet<string> = new Set(["STAGED", "DEPROVISIONED"]);

/** The few things that are written to an Okta org; each looks first, and reads back what it wrote. */
export async function openOktaWriteBack(options: OktaOptions): Promise<WriteBack> {
  const client = openClient(options, { scopes: [...SCOPES.write, ...SCOPES.read] });
  const writing = { client, options };
  return {
    disable: (nativeId) => (options.settings.disable === "suspend" ? suspend(writing, nativeId) : deactivate(writing, nativeId)),
    enable: (nativeId) => enable(writing, nativeId),
    removeFromGroup: (groupNativeId, memberNativeId) => removeFromGroup(client, { groupNativeId, memberNativeId }),
    close: () => client.close(),
  };
}

interface Writing {
  client: OktaClient;
  options: OktaOptions;
}

/** Suspended people keep their groups and applications, and can't sign in. Okta suspends only who is ACTIVE. */
async function suspend({ client, options }: Writing, nativeId: string): Promise<void> {
  const before = await look(client, nativeId);
  if (before.status === "DEPROVISIONED") return;
  const refusal = before.status === "ACTIVE" ? await lifecycle(client, nativeId, "suspend") : undefined;
  // After the suspension, so that no new session begins in between; and in any case, since a session is access today.
  if (!WITHOUT_SESSIONS.has(before.status)) await endSessions(client, nativeId);
  const after = before.status === "ACTIVE" ? await look(client, nativeId) : before;
  if (after.status === "SUSPENDED" || standingOf(after) === "DEPROVISIONED") return;
  if (refusal) throw refusal;
  if (before.status === "ACTIVE")
    throw new Fault("transient", `Okta took the suspension of ${nativeId}, but its status reads ${after.status} afterwards.`);
  options.log.warn({ nativeId, status: before.status }, "okta: only ACTIVE people can be suspended");
  throw new Fault(
    "rejected",
    `${nativeId} is ${before.status} in Okta, which suspends only ACTIVE people. Their sessions were ended; to keep them out, deactivate them in the Admin Console (Directory > People > More actions > Deactivate), or set disable: deactivate.`,
  );
}

async function deactivate(writing: Writing, nativeId: string): Promise<void> {
  const { client } = writing;
  const before = await look(client, nativeId);
  if (before.status === "DEPROVISIONED") return;
  if (!WITHOUT_SESSIONS.has(before.status)) await endSessions(client, nativeId);
  const refusal = standingOf(before) === "DEPROVISIONED" ? undefined : await lifecycle(client, nativeId, "deactivate");
  const after = await lookUntil(writing, nativeId, ({ status }) => status === "DEPROVISIONED");
  if (after.status === "DEPROVISIONED") return;
  if (refusal) throw refusal;
  throw new Fault("transient", `Okta is still deactivating ${nativeId} (status ${after.status}); it will be looked at again.`);
}

/** Lifts what we did, and only that: somebody whom an admin of Okta's has deactivated stays so. */
async function enable({ client, options }: Writing, nativeId: string): Promise<void> {
  const before = await look(client, nativeId);
  const ours = before.status === "SUSPENDED" || (options.settings.disable === "deactivate" && standingOf(before) === "DEPROVISIONED");
  if (!ours) {
    if (standingOf(before) === "DEPROVISIONED")
      options.log.warn({ nativeId }, "okta: deactivated there, not by us; an admin can activate them again under Directory > People");
    return;
  }
  if (before.status !== "SUSPENDED" && before.status !== "DEPROVISIONED")
    throw new Fault("transient", `Okta is still deactivating ${nativeId} (status ${before.status}); it will be looked at again.`);
  // Whoever was deactivated has lost the password: Okta's e-mail is their way to a new one.
  const refusal = await lifecycle(client, nativeId, before.status === "SUSPENDED" ? "unsuspend" : "activate");
  const after = await lookUntil({ client, options }, nativeId, ({ status }) => status !== before.status);
  if (after.status !== before.status) return;
  throw refusal ?? new Fault("transient", `Okta took the enabling of ${nativeId}, but its status still reads ${after.status}.`);
}

/** A refusal is handed back: what counts is how the person stands afterwards, since another may have done the same. */
async function lifecycle(
  client: OktaClient,
  nativeId: string,
  operation: "suspend" | "unsuspend" | "activate" | "deactivate",
): Promise<Fault | undefined> {
  try {
    const query = operation === "activate" ? { sendEmail: "true" } : {};
    await client.call({
      method: "POST",
      path: `${pathOf(nativeId)}/lifecycle/${operation}`,
      query,
      what: `the ${operation} of ${nativeId}`,
    });
    return undefined;
  } catch (error) {
    if (error instanceof Fault && (error.kind === "rejected" || error.kind === "denied")) return error;
    throw error;
  }
}

/** Ends Okta's own sessions, and revokes the OpenID Connect and OAuth tokens that it issued. */
async function endSessions(client: OktaClient, nativeId: string): Promise<void> {
  const what = `the ending of the sessions of ${nativeId}`;
  await client.call({ method: "DELETE", path: `${pathOf(nativeId)}/sessions`, query: { oauthTokens: "true" }, what });
}

async function lookUntil({ client, options }: Writing, nativeId: string, settled: (found: Standing) => boolean): Promise<Standing> {
  const sleep = options.sleep ?? ((delayMs: number, signal: AbortSignal) => wait(delayMs, undefined, { signal }));
  for (let looks = 1; ; looks++) {
    const found = await look(client, nativeId);
    const pending = found.transitioningToStatus !== undefined && found.transitioningToStatus !== null;
    if (settled(found) || !pending || looks >= LOOKS) return found;
    await sleep(BETWEEN_LOOKS_MS, options.signal);
  }
}

/** By id, which Okta answers with the latest data. Throws `gone` when there is nobody. */
async function look(client: OktaClient, nativeId: string): Promise<Standing> {
  const { body } = await client.call({ method: "GET", path: pathOf(nativeId), what: `the reading of user ${nativeId}` });
  const parsed = standing.safeParse(body);
  if (!parsed.success) throw new Fault("transient", `Okta answered the reading of user ${nativeId} without a status.`);
  return parsed.data;
}

function pathOf(nativeId: string): string {
  return `/api/v1/users/${encodeURIComponent(nativeId)}`;
}
