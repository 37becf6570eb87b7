import type { AttributeObject, SourceRecord } from "../../../connectors/contract.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { decideUser } from "../decide.ts";
import { fingerprint } from "../fingerprint.ts";
import { CLAIMS, NO_CLAIMS, claimsOf, claimsValues, type ClaimRow, type Claims } from "../known.ts";
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
  /** What the last look found, for whoever comes next. */
  lately: LatelySeen;
  connectionId: number;
  /** A SCIM resource, validated and normalised, without id and meta. */
  resource: AttributeObject;
  /** Of a client that is only remembered: the look proves it. */
  proof?: Proof | undefined;
}

/** Kept from request to request; nothing rests on it, since the statement that writes asks again. */
export interface LatelySeen {
  followers?: Followers;
}

export interface NewPerson {
  id: string;
  at: Date;
}

/**
 * Takes in somebody new with one statement, which writes where nobody has their names, addresses and numbers; else with a look and
 * another one. Match, map and decide are those of every record, looks and statements are shared with the requests of the moment.
 * `general`, and nothing written, when there is more to it (somebody matches, is inactive, stands in units, is followed by rules): then
 * the record goes the general way (syncOne), which also says why it is refused. `unproven`, and nothing written, when the client is not
 * what it was.
 */
export async function takeInPerson(options: NewPersonOptions): Promise<NewPerson | "general" | "unproven"> {
  const { ctx, sql, connections, lately, connectionId, resource } = options;
  const at = ctx.now();
  const id = newId(at);
  const known = await connections(sql, { id: connectionId });
  const { writeBack } = known.connection.policy;
  if (writeBack.disable || writeBack.groups) return "general";
  const record: SourceRecord = { kind: "user", nativeId: id, reference: id, attributes: resource };
  const coming: Coming = { known, at, record, ...mapUser(known.deciding, record) };
  const store = (arrival: Arrival, nobodyHas = LOOKED_FOR) => options.store(recordOf(arrival, { options, coming, nobodyHas }));
  if (lately.followers && !lately.followers.conditions) {
    const arrival = decideArrival(coming, { claims: NO_CLAIMS, followers: lately.followers });
    if (arrival === "general") return arrival;
    if (await store(arrival, claimedBy(coming))) return { id, at };
  }
  const found = await lookAround(options, coming);
  if (typeof found === "string") return found;
  lately.followers = found.followers;
  if (found.stamp !== known.stamp) {
    // The connection changed since it was loaded: the next request finds it as it is now.
    await connections(sql, { id: connectionId, stamp: found.stamp });
    return "general";
  }
  const arrival = decideArrival(coming, found);
  if (arrival === "general") return arrival;
  return (await store(arrival)) ? { id, at } : "general";
}

/** A record that is mapped. */
interface Coming extends ReturnType<typeof mapUser> {
  known: RequestConnection;
  at: Date;
  record: SourceRecord;
}

interface Arrival {
  item: Item & { subjectId: string };
  person: NonNullable<Item["payload"]["person"]>;
  account: NonNullable<Item["payload"]["account"]>;
  followers: Followers;
}

interface Around {
  stamp: string;
  followers: Followers;
  claims: Claims;
}

interface LookRow extends Followers {
  stamp: string;
  claims: ClaimRow[] | null;
}

/** In the order of the look's parameters, the values by which somebody may be there already; then the connection. */
function claimsAsked({ known: { deciding, connection }, contribution }: Coming): unknown[] {
  return claimsValues({ connectionId: connection.id, contributions: [contribution], keys: deciding.mapping.match });
}

type ClaimedValues = Pick<NewPersonRecord["values"], "userNames" | "emails" | "employeeNumbers" | "externalIds">;

/** Where a look has answered already. */
const LOOKED_FOR: ClaimedValues = { userNames: [], emails: [], employeeNumbers: [], externalIds: [] };

function claimedBy(coming: Coming): ClaimedValues {
  const [userNames, emails, employeeNumbers, externalIds] = claimsAsked(coming);
  return { userNames, emails, employeeNumbers, externalIds };
}

async function lookAround({ looks, proof }: NewPersonOptions, coming: Coming): Promise<Around | "general" | "unproven"> {
  const { rows, proven } = await look<LookRow>(looks, {
    name: "request_new_person_look",
    text: LOOK,
    values: claimsAsked(coming).map((value) => (Array.isArray(value) ? arrayText(value as string[]) : Number(value))),
    proof,
  });
  if (!proven) return "unproven";
  const [found] = rows;
  if (!found) return "general";
  const { stamp, claims, receivers, conditions } = found;
  return { stamp, followers: { receivers, conditions }, claims: claimsOf(claims ?? [], coming.known.deciding.mapping.match) };
}

function decideArrival(
  { known, at, record, contribution, inScope }: Coming,
  { claims, followers }: Omit<Around, "stamp">,
): Arrival | "general" {
  const { deciding } = known;
  if (followers.conditions) return "general";
  const match = inScope ? matchAccount({ contribution, keys: deciding.mapping.match, candidates: claims.candidates }) : undefined;
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
  if (claims.byUserName.has(person.userName)) return "general";
  settleClaims(item, claims);
  return { item: { ...item, subjectId: item.subjectId }, person, account, followers };
}

const LOOK = `select (select ${STAMP} from connections where id = $5::int) as stamp, ${FOLLOWERS.receivers} as receivers, ${FOLLOWERS.conditions} as conditions, (select jsonb_agg(claim) from (${CLAIMS}) claim) as claims`;

function recordOf(
  { item, person, account, followers }: Arrival,
  { options: { ctx, proof }, coming: { known, at }, nobodyHas }: { options: NewPersonOptions; coming: Coming; nobodyHas: ClaimedValues },
): NewPersonRecord {
  const { connection } = known;
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
      connectionStamp: known.stamp,
      clientHash: proof?.hash.toString("hex") ?? null,
      clientStamp: proof?.stamp ?? null,
      ...nobodyHas,
      managerReference: person.manager?.reference ?? null,
      managerConnection: person.manager?.connectionId ?? null,
    },
  };
}
