import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Sql, Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { hashOfSecret, isSecret, newSecret, READER, type Federation, type Reader, type SignInMethod } from "../sessions/session.ts";

/** How long a sign-in may take from its first step to its last. */
export const SIGN_IN_MINUTES = 15;

export interface SignIn {
  id: string;
  /** step_up: somebody who is signed in proves again who they are. */
  purpose: "sign_in" | "step_up";
  personId: string | null;
  sessionId: string | null;
  /** A path of ours. */
  returnTo: string | null;
  firstMethod: SignInMethod | null;
  secondMethod: SignInMethod | null;
  trusted: boolean;
  connectionId: number | null;
  federationSubject: string | null;
  federationSession: string | null;
  federationUntil: Date | null;
  /** What steps keep between requests, by step. Secrets among it are sealed by who puts them there. */
  state: Readonly<Record<string, unknown>>;
  expiresAt: Date;
}

const SHOWN = `id, purpose, person_id as "personId", session_id as "sessionId", return_to as "returnTo", first_method as "firstMethod",
  second_method as "secondMethod", trusted, connection_id as "connectionId", federation_subject as "federationSubject",
  federation_session as "federationSession", federation_until as "federationUntil", state, expires_at as "expiresAt"`;

export interface NewSignIn {
  purpose?: SignIn["purpose"];
  personId?: string;
  sessionId?: string;
  returnTo?: string | null | undefined;
  /** By which its person has just proven themselves. */
  firstMethod?: SignInMethod;
  state?: Readonly<Record<string, unknown>>;
  /** One of this browser in which nothing was proven yet: it begins anew, and its earlier cookie is worth nothing. */
  instead?: Pick<SignIn, "id"> | undefined;
}

const AGAIN = `update sign_ins set hash = $2, created_at = $4, expires_at = $5, return_to = $8, state = $9
  where id = $1 and purpose = $3 and person_id is not distinct from $6::uuid and session_id is not distinct from $7::uuid
    and ended_at is null and expires_at > $4 and first_method is null and second_method is null returning ${SHOWN}`;

/** Begins a sign-in; its secret goes into the browser's cookie. */
export async function beginSignIn({ ctx, sql }: Work, options: NewSignIn = {}): Promise<{ signIn: SignIn; secret: string }> {
  const { secret, hash } = newSecret();
  const now = ctx.now();
  const begun = [
    hash,
    options.purpose ?? "sign_in",
    now,
    new Date(now.getTime() + SIGN_IN_MINUTES * 60_000),
    options.personId ?? null,
    options.sessionId ?? null,
    options.returnTo ?? null,
    JSON.stringify(options.state ?? {}),
  ];
  if (options.instead && options.firstMethod === undefined) {
    const { rows: again } = await sql.query<SignIn>(AGAIN, [options.instead.id, ...begun]);
    if (again[0]) return { signIn: again[0], secret };
  }
  const { rows } = await sql.query<SignIn>(
    `insert into sign_ins (id, hash, purpose, created_at, expires_at, person_id, session_id, return_to, state, first_method, first_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text, case when $10::text is not null then $4::timestamptz end) returning ${SHOWN}`,
    [randomUUID(), ...begun, options.firstMethod ?? null],
  );
  return { signIn: first(rows), secret };
}

/** The sign-in under way whose cookie came; undefined when there is none, it is over, or has taken too long. */
export async function findSignIn(
  sql: Sql,
  { secret, now }: { secret: string | undefined; now: Date },
): Promise<(SignIn & { reader: Reader }) | undefined> {
  if (!isSecret(secret)) return undefined;
  const hash = hashOfSecret(secret);
  const { rows } = await sql.query<SignIn & Reader & { hash: Buffer }>({
    name: "sign-in-under-way",
    text: `select s.*, ${READER} from (select hash, ${SHOWN} from sign_ins where hash = $1 and ended_at is null and expires_at > $2) s
      left join people p on p.id = s."personId"`,
    values: [hash, now],
  });
  const [row] = rows;
  if (!row || !timingSafeEqual(row.hash, hash)) return undefined;
  const { hash: _kept, language, timeZone, ...signIn } = row;
  return { ...signIn, reader: { language, timeZone } };
}

/**
 * The sign-in with this id, locked, still under way; its person is locked first, as by all who change somebody: two who did it the other
 * way round would wait for each other. Throws `forbidden` when it is over.
 */
export async function lockSignIn({ ctx, sql }: Work, id: string): Promise<SignIn> {
  await sql.query("select from people where id = (select person_id from sign_ins where id = $1) for update", [id]);
  const { rows } = await sql.query<SignIn>(
    `select ${SHOWN} from sign_ins where id = $1 and ended_at is null and expires_at > $2 for update`,
    [id, ctx.now()],
  );
  if (!rows[0]) throw signInOver();
  return rows[0];
}

export interface FirstPassed {
  signIn: Pick<SignIn, "id">;
  personId: string;
  method: SignInMethod;
  /** The method stands for both factors. */
  trusted?: boolean;
  federation?: Federation | undefined;
}

/**
 * Notes that the first factor was proven, and by whom. The sign-in gets another secret, which goes into the cookie: one that was
 * planted before is worth nothing after. Throws `forbidden` when the sign-in is over, or its first factor was proven before.
 */
export async function passFirst(
  { ctx, sql }: Work,
  { signIn, personId, method, trusted = false, federation }: FirstPassed,
): Promise<{ signIn: SignIn; secret: string }> {
  const { secret, hash } = newSecret();
  const { rows } = await sql.query<SignIn>(
    `update sign_ins set hash = $2, person_id = $3, first_method = $4, first_at = $5, trusted = $6, connection_id = $7,
       federation_subject = $8, federation_session = $9, federation_until = $10
     where id = $1 and ended_at is null and expires_at > $5 and first_method is null and (person_id is null or person_id = $3) returning ${SHOWN}`,
    [
      signIn.id,
      hash,
      personId,
      method,
      ctx.now(),
      trusted,
      federation?.connectionId ?? null,
      federation?.subject ?? null,
      federation?.session ?? null,
      federation?.until ?? null,
    ],
  );
  if (!rows[0]) throw signInOver();
  return { signIn: rows[0], secret };
}

/** Notes that the second factor was proven. Throws `forbidden` when the sign-in is over or has not passed its first. */
export async function passSecond(
  { ctx, sql }: Work,
  { signIn, method }: { signIn: Pick<SignIn, "id">; method: SignInMethod },
): Promise<SignIn> {
  const { rows } = await sql.query<SignIn>(
    `update sign_ins set second_method = $2, second_at = $3
     where id = $1 and ended_at is null and expires_at > $3 and (first_method is not null or purpose = 'step_up') returning ${SHOWN}`,
    [signIn.id, method, ctx.now()],
  );
  if (!rows[0]) throw signInOver();
  return rows[0];
}

/** Keeps what a step needs in its next request; null forgets it. */
export async function keepState(
  { sql }: Pick<Work, "sql">,
  { signIn, step, value }: { signIn: Pick<SignIn, "id">; step: string; value: unknown },
): Promise<void> {
  await sql.query(
    `update sign_ins set state = case when $3::jsonb is null then state - $2::text else state || jsonb_build_object($2::text, $3::jsonb) end where id = $1`,
    [signIn.id, step, value === null ? null : JSON.stringify(value)],
  );
}

/** Takes what a step kept, once: of two who ask, one gets it. Undefined when there is nothing. */
export async function takeState(
  { sql }: Pick<Work, "sql">,
  { signIn, step }: { signIn: Pick<SignIn, "id">; step: string },
): Promise<unknown> {
  const { rows } = await sql.query<{ kept: unknown }>(
    `update sign_ins s set state = s.state - $2::text from (select id, state -> $2::text as kept from sign_ins where id = $1 for update) before
     where s.id = before.id and before.kept is not null returning before.kept`,
    [signIn.id, step],
  );
  return rows[0]?.kept;
}

/** The state of a sign-in that lets in only to set another password. */
export const MUST_CHANGE = { must_change: true } as const;

/** Whether this sign-in lets in only to set another password. */
export function mustChangePassword({ state }: Pick<SignIn, "state">): boolean {
  return state["must_change"] === true;
}

/** Notes that the password was changed, where it had to be. */
export async function forgetMustChange(work: Pick<Work, "sql">, { signIn }: { signIn: Pick<SignIn, "id"> }): Promise<void> {
  await keepState(work, { signIn, step: "must_change", value: null });
}

export async function endSignIn({ ctx, sql }: Work, { id }: Pick<SignIn, "id">): Promise<void> {
  await sql.query("update sign_ins set ended_at = $2, state = '{}' where id = $1 and ended_at is null", [id, ctx.now()]);
}

/** Forgets sign-ins that are over for a day, for the daily upkeep; returns how many. */
export async function forgetSignIns({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from sign_ins where expires_at < $1", [new Date(ctx.now().getTime() - 86_400_000)]);
  return rowCount ?? 0;
}

function signInOver(): AppError {
  return new AppError("forbidden", "This sign-in is over or took too long: begin again.", { field: "sign_in" });
}

function first<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error("an insert answered nothing");
  return row;
}
