import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { personKeys } from "./personal.ts";
import { noteUndeliverable } from "./undeliverable.ts";

/** What a mail that came back says of itself (a delivery status notification, RFC 3464). */
export interface Bounce {
  /** The notice: the part of its `Message-ID` before the `@`. */
  id: string;
  /** Final-Recipient: where it could not be delivered. */
  recipient: string;
  /** Status: an enhanced code (RFC 3463) of class 5, which is for good. */
  status: string;
  /** Diagnostic-Code: in the words of the mail server. */
  diagnostic?: string | undefined;
}

/** Enhanced codes by which there is nobody at the address, rather than something wrong with the message or with us. */
const NOBODY = /^5\.(1\.([1236]|10)|2\.1)$/;

/** Whether an enhanced code (RFC 3463) says that there is nobody at the address. Pure. */
export function saysNobody(status: string): boolean {
  return NOBODY.test(status);
}

/**
 * Notes that a mail came back after a provider had taken it: the notice has failed, and where there is nobody the address is marked, until
 * something is taken for it again. What comes again is noted once. Throws `conflict` for what was not sent as a mail.
 */
export async function noteBounce(work: Work, { id, recipient, status, diagnostic, keyRing }: Bounce & { keyRing: KeyRing }): Promise<void> {
  const { sql } = work;
  const { rows } = await sql.query<{ personId: string; notice: string; state: string }>(
    `select person_id as "personId", notice, state from notices where id = $1 and channel = 'email' and state in ('sent', 'failed') for update`,
    [id],
  );
  const [sent] = rows;
  if (!sent) throw new AppError("conflict", "Only a mail that was sent can come back.", { field: "id" });
  if (sent.state === "failed") return;
  const { personId, notice } = sent;
  const problem = `It came back with ${status}${diagnostic ? `: ${oneLine(diagnostic, recipient)}` : ""}`;
  await sql.query("update notices set state = 'failed', problem = $2 where id = $1", [id, problem]);
  await recordEvent(work, { name: "notice.failed", subjectType: "person", subjectId: personId, data: { notice, channel: "email", id } });
  if (!saysNobody(status)) return;
  const key = (await personKeys(work, keyRing, [personId])).get(personId);
  if (key) await noteUndeliverable(work, { personId, channel: "email", address: recipient, key, problem });
}

const MOST_LETTERS = 300;

/** Whatever a mail server elsewhere wrote, without the address: that is kept nowhere. */
function oneLine(text: string, address: string): string {
  const literally = address.replaceAll(/[^\w@]/gu, (letter) => `\\u{${letter.codePointAt(0)?.toString(16) ?? ""}}`);
  return text
    .replaceAll(/[\p{Cc}\s]+/gu, " ")
    .replaceAll(new RegExp(literally, "giu"), "…")
    .trim()
    .slice(0, MOST_LETTERS);
}
