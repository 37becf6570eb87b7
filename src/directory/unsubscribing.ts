import { createHmac, timingSafeEqual } from "node:crypto";
import type { Sql } from "../db/database.ts";
import type { KeyRing, SealingKey } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { OPTIONAL_NOTICES, type NoticeName } from "./notice-catalogue.ts";
import { openPersonKey } from "./personal.ts";

/** Whose optional notice a link of one click turns off. */
export interface Unsubscription {
  personId: string;
  notice: NoticeName;
}

const FORM = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([a-z_.]{1,40})\.([A-Za-z0-9_-]{43})$/;

/**
 * What a link carries that turns off one notice of one person, without a sign-in (RFC 8058): signed with the person's own key, so that it
 * ends with the person. It lets nobody do anything else. Pure.
 */
export function unsubscribeToken(key: SealingKey, { personId, notice }: Unsubscription): string {
  return `${personId}.${notice}.${signatureOf(key, { personId, notice }).toString("base64url")}`;
}

/** What such a link is about. Throws `forbidden` without saying why it does not work. */
export async function readUnsubscribeToken(sql: Sql, { token, keyRing }: { token: string; keyRing: KeyRing }): Promise<Unsubscription> {
  const [, personId = "", named = "", signature = ""] = FORM.exec(token) ?? [];
  const notice = OPTIONAL_NOTICES.find((each) => each === named);
  const { rows } = await sql.query<{ wrapped: string }>(
    `select k.wrapped from person_keys k join people p on p.id = k.person_id where p.id = $1 and p.state <> 'deleted'`,
    [notice === undefined ? null : personId],
  );
  const [person] = rows;
  if (!person || notice === undefined) throw refused();
  const expected = signatureOf(openPersonKey(keyRing, { personId, wrapped: person.wrapped }), { personId, notice });
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw refused();
  return { personId, notice };
}

function signatureOf(key: SealingKey, { personId, notice }: Unsubscription): Buffer {
  return createHmac("sha256", key.bytes).update(`unsubscribe ${personId} ${notice}`).digest();
}

function refused(): AppError {
  return new AppError("forbidden", "This link does not work any more.", { field: "link" });
}
