import type { AttributeObject, SourceRecord } from "../../../connectors/contract.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { decideUser } from "../decide.ts";
import { fingerprint } from "../fingerprint.ts";
import { CLAIMS, claimsOf, claimsValues, type ClaimRow } from "../known.ts";
import { matchAccount } from "../match.ts";
import type { Item } from "../records.ts";
import { mapUser, newId, settleClaims } from "../stage.ts";
import { STAMP, type RequestConnection, type RequestConnections } from "./connection.ts";
import type { Gathering } from "./gathering.ts";
import { arrayText, look, type Looks, type Proof } from "./look.ts";
import { FOLLOWERS, type Followers } from "./statement.ts";
import type { NewPersonRecord } from "./store-new-person.ts";

export interface NewPersonOptions {
  ctx: Context;
  sql: Sql;
  looks: Looks;
  store: Gathering<NewPersonRecord, boolean>;
  connections: RequestConnections;
  connectionId: number;
  /** A SCIM resource, validated and normalised, without id and meta. */
  resource: AttributeObject;
  /** Of a client that is only remembered: the look proves it. */
  proof?: Proof | undefined;
}

export interface NewPerson {
  id: string;
  at: Date;
}

/**
 * Takes in somebody new with one look and one statement that writes: match, map and decide are those of every record, look and write
 * are shared with the requests of the moment. `general`, and nothing written, when there is more to it (somebody matches, is inactive,
 * stands in units, is followed by rules): then the record goes the general way (syncOne), which also says why it is refused.
 * `unproven`, and nothing written, when the client is not what it was.
 */
export async function takeInPerson(options: NewPersonOptions): Promise<NewPerson | "general" | "unproven"> {
  const { ctx, sql, connections, connectionId, resource } = options;
  const at = ctx.now();
  const id = newId(at);
  const known = await connections(sql, { id: connectionId });
  const { writeBack } = known.connection.policy;
  if (writeBack.disable || writeBack.groups) return "general";
  const record: SourceRecord = { kind: "user", nativeId: id, reference: id, attributes: resource };
  const arrival = await decideArrival(options, { known, at, record });
  if (typeof arrival === "string") return arrival;
  if ("stamp" in arrival) {
    // The connection changed since it was loaded: the next request finds it as it is now.
    await connections(sql, { id: connectionId, stamp: arrival.stamp });
    return "general";
  }
  return (await options.store(recordOf(arrival, { ctx, known, at }))) ? { id, at } : "general";
}

interface Arrival {
  item: Item & { subjectId: string };
  person: NonNullable<Item["payload"]["person"]>;
  account: NonNullable<Item["payload"]["account"]>;
  followers: Followers;
}

interface LookRow extends Followers {
  stamp: string;
  claims: ClaimRow[] | null;
}

async function decideArrival(
  { looks, proof }: NewPersonOptions,
  { known, at, record }: { known: RequestConnection; at: Date; record: SourceRecord },
): Promise<Arrival | { stamp: string } | "general" | "unproven"> {
  const { deciding, connection } = known;
  const { contribution, inScope } = mapUser(deciding, record);
  const { match: keys } = deciding.mapping;
  const { rows, proven } = await look<LookRow>(looks, {
    name: "request_new_person_look",
    text: LOOK,
    values: claimsValues({ connectionId: connection.id, contributions: [contribution], keys }).map((value) =>
      Array.isArray(value) ? arrayText(value as string[]) : Number(value),
    ),
    proof,
  });
  if (!proven) return "unproven";
  const [found] = rows;
  if (!found || found.conditions) return "general";
  if (found.stamp !== known.stamp) return { stamp: found.stamp };
  const claims = claimsOf(found.claims ?? [], keys);
  const match = inScope ? matchAccount({ contribution, keys, candidates: claims.candidates }) : undefined;
  if (match?.situation !== "unmatched") return "general";
  const item = decideUser(deciding, {
    record,
    hash: fingerprint(record).toString("hex"),
    contribution,
    inScope,
    known: undefined,
    match,
    person: undefined,
    newPersonId: record.nativeId,
    seenAt: at,
  });
  const { person, account, blocks, units, employment, transfer } = item?.payload ?? {};
  if (!item?.subjectId || item.action !== "create" || !person || !account || blocks || units || employment || transfer) return "general";
  if (claims.byUserName.has(person.userName.toLowerCase())) return "general";
  settleClaims(item, claims);
  return { item: { ...item, subjectId: item.subjectId }, person, account, followers: found };
}

const LOOK = `select (select ${STAMP} from connections where id = $5::int) as stamp, ${FOLLOWERS.receivers} as receivers, ${FOLLOWERS.conditions} as conditions, (select jsonb_agg(claim) from (${CLAIMS}) claim) as claims`;

function recordOf(
  { item, person, account, followers }: Arrival,
  { ctx, known: { connection }, at }: { ctx: Context; known: RequestConnection; at: Date },
): NewPersonRecord {
  return {
    receivers: followers.receivers,
    values: {
      person: item.subjectId,
      connection: connection.id,
      now: at,
      actor: ctx.actor,
      correlation: ctx.correlationId,
      events: [{ name: "person.joined", reason: item.reason, data: { connection: connection.name } }],
      accountAttributes: account.attributes,
      hash: account.hash,
      mappingVersion: connection.mappingVersion,
      mapped: account.mapped,
      userName: person.userName,
      email: person.email,
      employeeNumber: person.employeeNumber,
      externalId: person.externalId,
      displayName: person.displayName,
      attributes: person.attributes,
      custom: person.custom,
      mastery: person.mastery,
      reason: item.reason,
      managerReference: person.manager?.reference ?? null,
      managerConnection: person.manager?.connectionId ?? null,
    },
  };
}
