import type { AttributeObject } from "../../../connectors/contract.ts";
import { ABSENCES } from "../known.ts";
import type { KnownAbsence, KnownAccount, KnownPerson } from "../records.ts";
import { STAMP } from "./connection.ts";
import { look, type Looks, type Proof } from "./look.ts";
import { FOLLOWERS, type Followers } from "./statement.ts";

/** Somebody of whom a connection holds a live account, as one look found them; nothing is locked. */
export interface Standing extends Followers {
  connection: { id: number; stamp: string };
  account: KnownAccount & { attributes: AttributeObject };
  /** With this account as the only origin. */
  person: KnownPerson;
  active: boolean;
  /** Other origins have a word about this person, or somebody edited it here. */
  shared: boolean;
  /** Every block that stands, whoever owns it. */
  blocks: readonly { owner: string; connectionId: number | null; effect: string }[];
  /** The state that a lifted block leads back to. */
  unblocked: "active" | "invited";
  /** The person's own key, when there is one. */
  wrapped: string | null;
}

interface StandingRow extends Followers {
  stamp: string;
  accountId: number;
  accountVersion: number;
  linkedBy: KnownAccount["linkedBy"];
  writtenBack: KnownAccount["writtenBack"];
  hash: string;
  mappingVersion: number;
  accountAttributes: AttributeObject;
  precedence: number;
  version: number;
  state: string;
  active: boolean;
  attributes: AttributeObject;
  custom: AttributeObject;
  mastery: Record<string, number>;
  shared: boolean;
  blocks: Standing["blocks"] | null;
  absences: KnownAbsence[] | null;
  unblocked: Standing["unblocked"] | null;
  wrapped: string | null;
}

const LOOK = `select c.${STAMP} as stamp, c.precedence, ${FOLLOWERS.receivers} as receivers, ${FOLLOWERS.conditions} as conditions,
    a.id as "accountId", a.version as "accountVersion", a.linked_by as "linkedBy", a.written_back as "writtenBack", encode(a.hash, 'hex') as hash,
    a.mapping_version as "mappingVersion", a.attributes as "accountAttributes",
    p.version, p.state, p.active, p.attributes, p.custom, p.mastery, k.wrapped,
    p.local is not null or a.mapped is null or exists (select from accounts o where o.person_id = p.id and o.gone_at is null and o.id <> a.id) as shared,
    (select jsonb_agg(jsonb_build_object('owner', b.owner, 'connectionId', b.connection_id, 'effect', b.effect))
       from blocks b where b.person_id = p.id and b.recorded_to is null and b.valid_to is null) as blocks,
    ${ABSENCES} as absences,
    case when p.state in ('suspended', 'deactivated') then (select l.state from lifecycle_periods l
       where l.person_id = p.id and l.recorded_to is null and l.valid_to is not null and l.state in ('invited', 'active') order by l.valid_to desc limit 1) end as unblocked
  from accounts a join connections c on c.id = a.connection_id join people p on p.id = a.person_id left join person_keys k on k.person_id = p.id
  where a.connection_id = $1::int and a.kind = 'user' and a.native_id = $2::text and a.person_id = $2::text::uuid and a.situation = 'linked' and a.gone_at is null
    and p.state <> 'deleted' and p.deleted_at is null`;

/** Looks somebody up by id; undefined when the connection holds no live account under that id, `unproven` when the client is not what it was. */
export async function findStanding(
  looks: Looks,
  { connectionId, id, proof }: { connectionId: number; id: string; proof?: Proof | undefined },
): Promise<Standing | undefined | "unproven"> {
  const personId = id.toLowerCase();
  const { rows, proven } = await look<StandingRow>(looks, {
    name: "request_person_look",
    text: LOOK,
    values: [connectionId, personId],
    proof,
  });
  if (!proven) return "unproven";
  const [row] = rows;
  if (!row) return undefined;
  const blocks = row.blocks ?? [];
  return {
    connection: { id: connectionId, stamp: row.stamp },
    receivers: row.receivers,
    conditions: row.conditions,
    account: {
      id: row.accountId,
      version: row.accountVersion,
      kind: "user",
      nativeId: personId,
      situation: "linked",
      subjectId: personId,
      linkedBy: row.linkedBy,
      formerPersonId: null,
      gone: false,
      writtenBack: row.writtenBack,
      hash: row.hash,
      mappingVersion: row.mappingVersion,
      attributes: row.accountAttributes,
    },
    person: {
      id: personId,
      version: row.version,
      state: row.state,
      attributes: row.attributes,
      custom: row.custom,
      mastery: row.mastery,
      local: null,
      origins: [
        {
          accountId: row.accountId,
          connectionId,
          nativeId: personId,
          precedence: row.precedence,
          attributes: row.accountAttributes,
          writtenBack: row.writtenBack,
        },
      ],
      originBlocks: blocks.filter(({ owner }) => owner === "origin"),
      absences: row.absences ?? [],
    },
    active: row.active,
    shared: row.shared,
    blocks,
    unblocked: row.unblocked ?? "active",
    wrapped: row.wrapped,
  };
}
