import { connectors } from "../../../connectors/registry.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { policySchema } from "../definition.ts";
import { findConnection, type ConnectionRow } from "../open.ts";
import { enqueueKeeping } from "./enqueue.ts";
import { newHookSecret } from "./secret.ts";

/**
 * Has a connection's notifications bear another secret: at the next look, which is soon, each subscription is made anew with it. Until
 * all are, both secrets prove a call; then the older one is forgotten. Asked again meanwhile, it stays with that new secret.
 * Throws `not_found`; `invalid` where it is not ours to make; `conflict` where no notifications are wanted.
 */
export async function renewHookSecret(work: Work, { name, keyRing }: { name: string; keyRing: KeyRing }): Promise<void> {
  const { sql } = work;
  const row = await findConnection(sql, name);
  requireOurs(row);
  if (!row.enabled || !policySchema.parse(row.policy).notifications.enabled)
    throw new AppError(
      "conflict",
      `The connection ${name} has no change notifications whose secret could be renewed: enable it, and \`policy.notifications\`, first.`,
      { field: "connection" },
    );
  // Where there is none yet, the look makes the first one.
  const { rowCount } = await sql.query(
    "update hooks set next_secret = $2 where connection_id = $1 and secret is not null and next_secret is null",
    [row.id, newHookSecret(name, keyRing)],
  );
  await enqueueKeeping(sql, row.id);
  if (rowCount)
    await recordEvent(work, { name: "connection.hook_secret_renewed", subjectType: "connection", subjectId: name, data: { name } });
}

function requireOurs({ name, connector }: ConnectionRow): void {
  const hooks = Object.hasOwn(connectors, connector) ? connectors[connector]?.hooks : undefined;
  if (hooks?.keep && hooks.secretField === undefined) return;
  throw new AppError(
    "invalid",
    hooks?.secretField === undefined
      ? `The connection ${name} has no change notifications: the connector ${connector} knows none.`
      : `The secret of ${name}'s notifications is chosen by you: change settings.${hooks.secretField}, and enter the new one in that system's console.`,
    { field: "connection" },
  );
}
