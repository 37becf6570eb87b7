import { randomInt } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { activateInvited } from "../../directory/activation.ts";
import { tellPerson } from "../../directory/notices.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import { AppError } from "../../errors.ts";
import { endOwnTokens } from "../own-tokens.ts";
import { endSessions } from "../sessions/end.ts";
import { aboutPerson } from "./about.ts";
import { hashPassword, isPassword, type PasswordSettings } from "./hash.ts";
import { brokenRules, problemsOf, type PasswordRule } from "./policy.ts";

/** `changed` by the person, `reset` or `invitation` by a link, `command` on the machine. */
export type HowSet = "changed" | "reset" | "invitation" | "command";

export interface NewPassword {
  personId: string;
  password: string;
  how: HowSet;
  keyRing: KeyRing;
  settings: PasswordSettings;
  /** The session that goes on: the one in which the person did it. */
  keepSession?: string | undefined;
  /** The sign-in that goes on, likewise. */
  keepSignIn?: string | undefined;
  /** The person's own tokens end, too: whoever has the old password may have made or read them. */
  endTokens?: boolean;
  /** When the password was set that the person has proven to know: refused when another was set since. */
  provenSetAt?: Date | null | undefined;
}

/**
 * Sets a password of the person's own choice, in the caller's transaction, under the person's row lock: checks every rule, keeps the
 * one before so that it is not used again, ends sessions, sign-ins and open links, tells the person, and makes somebody invited active. Throws `invalid`
 * with a problem `password.RULE` for each rule that it breaks, `conflict` for somebody who may not come in and for a proof that is out of date.
 */
export async function setPassword(
  work: Work,
  { personId, password, how, keyRing, settings, keepSession, keepSignIn, endTokens = false, provenSetAt }: NewPassword,
): Promise<void> {
  const { sql } = work;
  const about = await aboutPerson(sql, personId);
  const broken = await brokenRules(password, { settings, about });
  // Made before the lock, which others wait for.
  const hash = await hashPassword(password, settings.argon2);
  const { state, before, setAt } = await lockPassword(work, personId);
  if (provenSetAt !== undefined && provenSetAt?.getTime() !== setAt?.getTime())
    throw new AppError("conflict", "The password was changed meanwhile: begin again.", { field: "password" });
  const rules: PasswordRule[] = (await wasUsed(sql, { personId, password, settings, before })) ? [...broken, "history"] : broken;
  if (rules.length > 0) {
    const problems = problemsOf(rules, settings);
    throw new AppError("invalid", `The password ${problems.map(({ message }) => message).join("; it ")}.`, { field: "password", problems });
  }
  await store(work, { personId, hash, before, temporaryUntil: null, settings });
  await recordEvent(work, { name: "password.set", subjectType: "person", subjectId: personId, data: { how } });
  await endWhatIsOpen(work, { personId, keepSession, keepSignIn });
  if (endTokens) await endOwnTokens(work, { personId, reason: "the person has set another password" });
  if (state === "invited") await activateInvited(work, { personId, reason: "the person has set a password" });
  if (before !== null) await tellPerson(work, { keyRing, personId, notice: "password.changed" });
}

/**
 * Gives somebody a password that works for a while, and only to set another. It is returned once, to be handed over by whoever asked.
 * Everything that opens something for them ends, their own tokens included. The person is told. Throws `conflict` for somebody who may not come in.
 */
export async function setTemporaryPassword(
  work: Work,
  { personId, keyRing, settings, reason }: Pick<NewPassword, "personId" | "keyRing" | "settings"> & { reason?: string },
): Promise<{ password: string; until: Date }> {
  const password = temporaryPassword();
  const hash = await hashPassword(password, settings.argon2);
  const { before } = await lockPassword(work, personId);
  const until = new Date(work.ctx.now().getTime() + settings.temporaryHours * 3_600_000);
  await store(work, { personId, hash, before, temporaryUntil: until, settings });
  await recordEvent(work, {
    name: "password.set",
    subjectType: "person",
    subjectId: personId,
    ...(reason === undefined ? {} : { reason }),
    data: { how: "temporary" },
  });
  await endWhatIsOpen(work, { personId });
  await endOwnTokens(work, { personId, reason: "the password was reset by an administrator" });
  await tellPerson(work, { keyRing, personId, notice: "password.changed" });
  return { password, until };
}

/** Without letters that are taken for others: 20 of 31 are 99 bits. */
const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";

function temporaryPassword(): string {
  const group = () => Array.from({ length: 5 }, () => LETTERS.charAt(randomInt(LETTERS.length))).join("");
  return [group(), group(), group(), group()].join("-");
}

interface Standing {
  state: "active" | "invited";
  before: string | null;
  setAt: Date | null;
}

/** The hash that stands (null: none), under the lock that all who change a person take. Throws `conflict`. */
async function lockPassword({ ctx, sql }: Work, personId: string): Promise<Standing> {
  // Two statements: what stands is read once the lock is held.
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rows } = await sql.query<Standing>(
    `select p.state, w.hash as before, w.set_at as "setAt" from people p left join passwords w on w.person_id = p.id
     where p.id = $1 and p.state in ('active', 'invited') and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })}`,
    [personId, ctx.now()],
  );
  if (!rows[0]) throw new AppError("conflict", "A password is for those who may come in: this person is not active.", { field: "person" });
  return rows[0];
}

interface Used {
  personId: string;
  password: string;
  settings: PasswordSettings;
  before: string | null;
}

async function wasUsed(sql: Sql, { personId, password, settings, before }: Used): Promise<boolean> {
  if (settings.history === 0) return false;
  const { rows } = await sql.query<{ hash: string }>("select hash from password_history where person_id = $1 order by id desc limit $2", [
    personId,
    settings.history - 1,
  ]);
  for (const hash of [...(before === null ? [] : [before]), ...rows.map((row) => row.hash)])
    if (await isPassword(password, hash)) return true;
  return false;
}

interface Stored {
  personId: string;
  hash: string;
  before: string | null;
  temporaryUntil: Date | null;
  settings: PasswordSettings;
}

async function store({ ctx, sql }: Work, { personId, hash, before, temporaryUntil, settings }: Stored): Promise<void> {
  if (before !== null)
    await sql.query("insert into password_history (person_id, hash, replaced_at) values ($1, $2, $3)", [personId, before, ctx.now()]);
  await sql.query(
    "delete from password_history where person_id = $1 and id not in (select id from password_history where person_id = $1 order by id desc limit $2)",
    [personId, Math.max(settings.history - 1, 0)],
  );
  await sql.query(
    `insert into passwords (person_id, hash, set_at, temporary_until) values ($1, $2, $3, $4)
     on conflict (person_id) do update set hash = $2, set_at = $3, temporary_until = $4`,
    [personId, hash, ctx.now(), temporaryUntil],
  );
}

/** Sessions, sign-ins under way and links that the password before may have opened. */
async function endWhatIsOpen(
  work: Work,
  { personId, keepSession, keepSignIn }: Pick<NewPassword, "personId" | "keepSession" | "keepSignIn">,
): Promise<void> {
  await endSessions(work, { personId, except: keepSession, exceptSignIn: keepSignIn, reason: "password" });
  await work.sql.query("update login_links set revoked_at = $2 where person_id = $1 and used_at is null and revoked_at is null", [
    personId,
    work.ctx.now(),
  ]);
}
