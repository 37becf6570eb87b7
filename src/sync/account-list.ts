import type { Kind } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

export const SITUATIONS = ["linked", "unlinked", "unmatched", "disputed", "deleted"] as const;

export interface AccountView {
  id: number;
  connection: string;
  kind: Kind;
  nativeId: string;
  reference: string | null;
  situation: (typeof SITUATIONS)[number];
  personId: string | null;
  person: string | null;
  /** match, create, or human: who tied it to the person. */
  linkedBy: string | null;
  linkedAt: Date | null;
  /** People between whom a human has to choose. */
  candidates: { id: string; userName: string }[];
  firstSeenAt: Date;
  changedAt: Date;
  goneAt: Date | null;
}

const ACCOUNT = `select a.id, c.name as connection, a.kind, a.native_id as "nativeId", a.reference, a.situation, a.person_id as "personId", p.user_name as person,
    a.linked_by as "linkedBy", a.linked_at as "linkedAt",
    coalesce((select jsonb_agg(jsonb_build_object('id', x.id, 'userName', x.user_name) order by x.user_name) from people x where a.candidates ? x.id::text), '[]') as candidates,
    a.first_seen_at as "firstSeenAt", a.changed_at as "changedAt", a.gone_at as "goneAt"
  from accounts a join connections c on c.id = a.connection_id left join people p on p.id = a.person_id`;

export interface ListAccountViewsOptions {
  connection?: string | undefined;
  situation?: string | undefined;
  kind?: Kind | undefined;
  personId?: string | undefined;
  /** Ids above this one. */
  after?: number | undefined;
  limit: number;
}

/** Accounts in the order of their ids. */
export async function listAccountViews(
  sql: Sql,
  { connection, situation, kind, personId, after, limit }: ListAccountViewsOptions,
): Promise<AccountView[]> {
  const { rows } = await sql.query<AccountView>(
    `${ACCOUNT} where ($1::text is null or c.name = $1) and ($2::text is null or a.situation = $2) and ($3::text is null or a.kind = $3)
       and ($4::uuid is null or a.person_id = $4) and a.id > $5 order by a.id limit $6`,
    [connection ?? null, situation ?? null, kind ?? null, personId ?? null, after ?? 0, limit],
  );
  return rows;
}

/** One account. Throws `not_found`. */
export async function readAccount(sql: Sql, accountId: number): Promise<AccountView> {
  const { rows } = await sql.query<AccountView>(`${ACCOUNT} where a.id = $1`, [accountId]);
  const [account] = rows;
  if (!account) throw new AppError("not_found", `There is no account ${accountId}.`, { field: "account" });
  return account;
}
