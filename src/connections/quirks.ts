import type { Dialect } from "../../connectors/scim-inbound/config.ts";
import type { Sql } from "../db/database.ts";
import { QUIRKS, type QuirkName } from "./quirk-catalogue.ts";

/** How often a SCIM client departed from the RFCs in one way. */
export interface QuirkCount {
  connectionId: number;
  dialect: Dialect;
  quirk: QuirkName;
  /** In the schema's own name; empty when it concerns no attribute. */
  attribute: string;
  /** Of a closed set of texts, never a personal value; empty when none. */
  sample: string;
  count: number;
  lastSeen: Date;
}

/** Adds to what was counted before. A connection that has gone meanwhile is passed over. */
export async function addQuirkCounts(sql: Sql, counts: readonly QuirkCount[]): Promise<void> {
  await sql.query(
    `insert into scim_quirks as q (connection_id, dialect, quirk, attribute, sample, count, first_seen_at, last_seen_at)
     select n."connectionId", n.dialect, n.quirk, n.attribute, n.sample, n.count, n."lastSeen", n."lastSeen"
     from jsonb_to_recordset($1::jsonb) as n ("connectionId" integer, dialect text, quirk text, attribute text, sample text, count bigint, "lastSeen" timestamptz)
       join connections c on c.id = n."connectionId"
     order by 1, 2, 3, 4, 5
     on conflict (connection_id, dialect, quirk, attribute, sample)
       do update set count = q.count + excluded.count, last_seen_at = greatest(q.last_seen_at, excluded.last_seen_at)`,
    [JSON.stringify(counts)],
  );
}

/** One line of a connection's quirks, the most frequent first. */
export interface QuirkLine {
  dialect: Dialect;
  quirk: string;
  attribute: string;
  sample: string;
  count: number;
  firstSeen: Date;
  lastSeen: Date;
}

export async function listQuirks(sql: Sql, { connectionId }: { connectionId: number }): Promise<QuirkLine[]> {
  const { rows } = await sql.query<QuirkLine>(
    `select dialect, quirk, attribute, sample, count, first_seen_at as "firstSeen", last_seen_at as "lastSeen"
     from scim_quirks where connection_id = $1 order by count desc, quirk, attribute, sample limit 500`,
    [connectionId],
  );
  return rows;
}

/** The clients by name. */
const NAMES: Readonly<Record<Dialect, string>> = {
  generic: "The client",
  entra: "Entra",
  okta: "Okta",
  google: "Google",
  onelogin: "OneLogin",
  jumpcloud: "JumpCloud",
  ping: "Ping",
  sap: "SAP",
};

/** "Entra sent `active` as the string "False" 412 times". */
export function quirkSentence({ dialect, quirk, attribute, sample, count }: QuirkLine): string {
  const known = Object.hasOwn(QUIRKS, quirk) ? QUIRKS[quirk as QuirkName] : undefined;
  const says = (known?.says ?? quirk)
    .replace("`{attribute}`", attribute === "" ? "a value" : `\`${attribute}\``)
    .replace("{sample}", sample);
  return `${NAMES[dialect]} ${says} ${count === 1 ? "once" : `${count} times`}`;
}
