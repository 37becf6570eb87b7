import { recordEvent } from "../../audit/record.ts";
import { keepingAnAdministrator } from "../../access/last-administrator.ts";
import type { Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { liftBlocks, raiseBlocks } from "../../directory/blocks.ts";
import { endPresence } from "../../directory/leaving.ts";
import { tellPerson } from "../../directory/notices.ts";
import { wakeRules } from "../../directory/waking-rules.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import type { Finding } from "./finding.ts";

export interface ResponseOptions {
  id: string;
  finding: Pick<Finding, "kind" | "subject">;
  settings: SignInSettings["risk"];
  keyRing: KeyRing;
}

type Response = "suspended" | "sessions_ended";

/**
 * Does at once what the settings say for this pattern: ends the sessions and tokens of whom it is about, or suspends them until the
 * incident is closed. Who alone steers the organisation is not suspended; their sessions end. With them goes how far anybody has come in
 * signing in as that person: what raised the incident is not a session yet where another step is due.
 */
export async function respond(work: Work, { id, finding: { kind, subject }, settings, keyRing }: ResponseOptions): Promise<void> {
  const { personId } = subject;
  const wanted = Object.entries(settings.responses).find(([name]) => name === kind)?.[1] ?? "none";
  if (personId === null || wanted === "none") return;
  const done: Response = wanted === "suspend" && (await suspended(work, { id, personId })) ? "suspended" : "sessions_ended";
  if (done === "sessions_ended") {
    await work.sql.query("select from people where id = $1 for update", [personId]);
    await endPresence(work, [{ personId, reason: `incident ${id}` }]);
    await tellPerson(work, { keyRing, personId, notice: "sessions.ended" });
  }
  await work.sql.query("update incidents set response = $2 where id = $1", [id, done]);
  await recordEvent(work, { name: "incident.responded", subjectType: "incident", subjectId: id, data: { kind, response: done } });
}

async function suspended(work: Work, { id, personId }: { id: string; personId: string }): Promise<boolean> {
  await work.sql.query("savepoint response");
  try {
    await keepingAnAdministrator(
      work,
      () => raiseBlocks(work, [{ personId, owner: "incident", effect: "suspended", reason: `incident ${id}` }]),
      { passing: true },
    );
    await work.sql.query("release savepoint response");
    await wakeRules(work, { personIds: [personId] });
    return true;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "conflict")) throw error;
    await work.sql.query("rollback to savepoint response");
    work.ctx.log.warn({ incident: id }, "the last administrator was not suspended by an incident; their sessions were ended");
    return false;
  }
}

/** Takes back what an incident did to a person, when no other incident that is not closed holds it. */
export async function liftResponse(work: Work, { id, personId }: { id: string; personId: string }): Promise<void> {
  const { rowCount } = await work.sql.query(
    "select from incidents where person_id = $1 and id <> $2 and response = 'suspended' and state <> 'closed' limit 1",
    [personId, id],
  );
  if (rowCount !== 0) return;
  await liftBlocks(work, [{ personId, owner: "incident" }]);
  await wakeRules(work, { personIds: [personId] });
}
