import type { Hooks } from "../../../connectors/contract.ts";
import { connectors } from "../../../connectors/registry.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { open, type KeyRing } from "../../db/envelope.ts";
import { policySchema } from "../definition.ts";
import type { ConnectionState } from "../open.ts";
import { secretPurpose, type SealedSecrets } from "../secrets.ts";
import { hookSecretPurpose } from "./state.ts";

/** A connection that takes notifications. */
export interface Addressee {
  id: number;
  hooks: Hooks<never>;
  /** Any of them proves a call: while a new one takes the place of the last, both do. */
  secrets: readonly string[];
  state: ConnectionState;
  gatherSeconds: number;
}

interface AddresseeRow {
  id: number;
  name: string;
  connector: string;
  state: ConnectionState;
  policy: unknown;
  secrets: SealedSecrets;
  secret: string | null;
  next_secret: string | null;
}

/** As definitions allow them; of any other there is no connection, and PostgreSQL takes no zero bytes. */
const NAME = /^[a-z0-9-]{1,63}$/;

/** Undefined where there is no such connection, or it takes no notifications. */
export async function findAddressee(
  ctx: Context,
  { sql, connection, keyRing }: { sql: Sql; connection: string; keyRing: KeyRing },
): Promise<Addressee | undefined> {
  if (!NAME.test(connection)) return undefined;
  const { rows } = await sql.query<AddresseeRow>(
    `select c.id, c.name, c.connector, c.state, c.policy, c.secrets, h.secret, h.next_secret
     from connections c left join hooks h on h.connection_id = c.id where c.name = $1 and c.enabled`,
    [connection],
  );
  const row = rows[0];
  const hooks = row && Object.hasOwn(connectors, row.connector) ? connectors[row.connector]?.hooks : undefined;
  if (!row || !hooks) return undefined;
  const { notifications } = policySchema.parse(row.policy);
  if (!notifications.enabled) return undefined;
  return {
    id: row.id,
    hooks,
    secrets: openedSecrets(ctx, { row, hooks, keyRing }),
    state: row.state,
    gatherSeconds: notifications.gatherSeconds,
  };
}

/** A secret that does not open is the operator's to know of, not the caller's. */
function openedSecrets(ctx: Context, { row, hooks, keyRing }: { row: AddresseeRow; hooks: Hooks<never>; keyRing: KeyRing }): string[] {
  try {
    return secretsOf(row, { hooks, keyRing });
  } catch (error) {
    ctx.log.error({ err: error, connection: row.name }, "a notification could not be judged");
    return [];
  }
}

/** What calls must bear: the administrator's setting, or what we made. */
function secretsOf(row: AddresseeRow, { hooks, keyRing }: { hooks: Hooks<never>; keyRing: KeyRing }): string[] {
  if (hooks.secretField === undefined)
    return [row.secret, row.next_secret].flatMap((sealed) =>
      sealed === null ? [] : [open(keyRing, { purpose: hookSecretPurpose(row.name), sealed })],
    );
  const sealed = row.secrets[hooks.secretField];
  if (sealed === undefined) return [];
  const secret: unknown = JSON.parse(open(keyRing, { purpose: secretPurpose({ connection: row.name, field: hooks.secretField }), sealed }));
  return typeof secret === "string" ? [secret] : [];
}
