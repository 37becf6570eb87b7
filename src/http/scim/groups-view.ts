import { CORE_GROUP } from "../../directory/attributes.ts";
import { resourceTotal } from "./resource-total.ts";
import {
  isOpen,
  isoInstant,
  isUuid,
  jsonParts,
  literal,
  remainderParts,
  stringParts,
  textOf,
  whenUsed,
  type View,
  type ViewOptions,
} from "./view.ts";

/** Of more members than these a text is made in portions. */
const MOST_AT_ONCE = 500;
/** A power of two. So many have some thousand members each of the largest groups that there are. */
const PORTIONS = 64;

/**
 * Groups as one SCIM client sees them. Of a group that it wrote it reads back the members that it put there,
 * or it would take out again and again whom somebody else put in; of others, all.
 */
export function groupsView({ parameters, connectionId, base, visibility }: ViewOptions): View {
  const connection = `${parameters.add(connectionId)}::integer`;
  const door = `${parameters.add(base)}::text`;
  const doorText = whenUsed(parameters, { value: JSON.stringify(base).slice(1, -1), type: "text" });
  // The door is named so that a statement without references still has a use for its parameter.
  const present = `${door} is not null and g.deleted_at is null`;
  const versions = ["g.version", "'.'", "coalesce(a.version, 0)"];
  const version = textOf(`'W/"'`, ...versions, `'"'`);
  const mine = (alias: string) => `(a.id is null or ${alias}.connection_id = ${connection})`;
  const isOwn = (kind: "user" | "group", alias: string) =>
    `own.connection_id = ${connection} and own.kind = '${kind}' and own.native_id = ${alias}.id::text`;
  const isSeen = (kind: "user" | "group", alias: string) =>
    visibility === "own" ? ` and exists (select 1 from accounts own where ${isOwn(kind, alias)} and own.gone_at is null)` : "";
  // By their ids, however many a plan made for all groups expects: a join would lead through everybody there is.
  const people = `from people p where p.deleted_at is null and p.id = any (array(select m.person_id from memberships m where m.group_id = g.id and ${isOpen("m")} and ${mine("m")}))${isSeen("user", "p")}`;
  const children = `from groups c where c.deleted_at is null and c.id = any (array(select n.child_group_id from nestings n where n.parent_group_id = g.id and ${isOpen("n")} and ${mine("n")}))${isSeen("group", "c")}`;
  const personName = "coalesce(p.display_name, p.user_name::text)";
  const members = `select jsonb_build_object('value', p.id, '$ref', ${door} || '/Users/' || p.id, 'display', ${personName}, 'type', 'User') as element ${people}
    union all select jsonb_build_object('value', c.id, '$ref', ${door} || '/Groups/' || c.id, 'display', c.display_name, 'type', 'Group') ${children}`;
  const memberText = ({ alias, endpoint, type, display }: { alias: string; endpoint: string; type: string; display: string }) =>
    textOf(
      ...jsonParts({
        value: stringParts(`${alias}.id`),
        $ref: stringParts(doorText(), `'/${endpoint}/'`, `${alias}.id`),
        display: [`to_json(${display})`],
        type: [`'"${type}"'`],
      }),
    );
  const personText = () => memberText({ alias: "p", endpoint: "Users", type: "User", display: personName });
  const childText = () => memberText({ alias: "c", endpoint: "Groups", type: "Group", display: "c.display_name::text" });
  // Who is erased or renamed, or comes or goes by a run, leaves the version alone. A minute earlier, for what was under way then and for
  // clocks that differ, without the last second: that is whose joining made the version. For who sees only its own, who is seen may change by itself.
  const changed = (alias: string, others: string) =>
    `${alias}.recorded_to is null and ${mine(alias)} and (${alias}.valid_to is null${visibility === "own" ? "" : ` and (${others})`}
      or ${alias}.recorded_from > g.modified_at - interval '1 minute' and ${alias}.recorded_from not between g.modified_at - interval '1 second' and g.modified_at)`;
  const driftsSince = `(exists (select from believed_memberships m join people p on p.id = m.person_id
      where m.group_id = g.id and ${changed("m", "p.modified_at > g.modified_at or p.deleted_at > g.modified_at")})
    or exists (select from nestings n join groups c on c.id = n.child_group_id where n.parent_group_id = g.id and ${changed("n", "c.modified_at > g.modified_at")}))`;
  const membersText = () => `(select concat(',"members":[', string_agg(text, ','), ']') from (
      select ${personText()} as text ${people} union all select ${childText()} ${children}) held having count(*) > 0)`;
  const meta = () =>
    jsonParts({
      resourceType: [`'"Group"'`],
      created: stringParts(isoInstant("g.created_at")),
      lastModified: stringParts(isoInstant("g.modified_at")),
      location: stringParts(doorText(), "'/Groups/'", "g.id"),
      version: [`'"W/\\"'`, ...versions, `'\\""'`],
    });
  const ownAccount = (condition: string) => `exists (select 1 from accounts own where ${isOwn("group", "g")} and ${condition})`;
  const indexed = (options: { group: string; account: string; exact: string }) =>
    `(g.id in (select q.id from groups q where ${options.group}
        union all select b.group_id from accounts b where b.connection_id = ${connection} and b.kind = 'group' and b.group_id is not null and ${options.account})
      and coalesce(${options.exact}, false))`;

  return {
    table: "groups g",
    id: "g.id",
    joins: `left join accounts a on a.connection_id = ${connection} and a.kind = 'group' and a.native_id = g.id::text
      cross join lateral (select case when a.id is not null then a.attributes
        else g.attributes || jsonb_strip_nulls(jsonb_build_object('displayName', g.display_name, 'externalId', g.external_id)) end - 'members' as document) d`,
    visible: `${present} and a.gone_at is null${visibility === "own" ? " and a.id is not null" : ""}`,
    unjoined:
      visibility === "own"
        ? { visible: `${present} and ${ownAccount("own.gone_at is null")}` }
        : {
            visible: `${present} and not ${ownAccount("own.gone_at is not null")}`,
            total: `(case when ${door} is not null then ${resourceTotal({ connection, kind: "group", table: "groups", present: "q.deleted_at is null" })} end)`,
          },
    document: "d.document",
    version,
    drifts: { path: "members", since: driftsSince },
    columns: new Map([
      ["id", { sql: "g.id::text", type: "text" }],
      ["meta", { sql: "g.id", type: "text" }],
      ["meta.resourcetype", { sql: "'Group'::text", type: "text" }],
      ["meta.created", { sql: "g.created_at", type: "instant" }],
      ["meta.lastmodified", { sql: "g.modified_at", type: "instant" }],
      ["meta.location", { sql: `(${door} || '/Groups/' || g.id)`, type: "text" }],
      ["meta.version", { sql: version, type: "text" }],
    ]),
    collections: new Map([
      ["members", members],
      ["schemas", `select ${literal(JSON.stringify(CORE_GROUP))}::jsonb as element`],
    ]),
    equals: new Map([
      ["id", (value) => (isUuid(value) ? `(g.id = ${parameters.add(value)}::uuid)` : "false")],
      [
        "displayname",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          return indexed({
            group: `q.display_name = ${text}::citext and q.deleted_at is null`,
            account: `b.scim_display_name = lower(${text})`,
            exact: `lower(nullif(d.document->>'displayName', '')) = lower(${text})`,
          });
        },
      ],
      [
        "externalid",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          return indexed({
            group: `q.external_id = ${text}`,
            account: `b.scim_external_id = ${text}`,
            exact: `nullif(d.document->>'externalId', '') = ${text}`,
          });
        },
      ],
      [
        "members.value",
        (value) => {
          if (!isUuid(value)) return "false";
          const id = `${parameters.add(value)}::uuid`;
          return `(g.id in (select m.group_id from memberships m where m.person_id = ${id} and ${isOpen("m")}
            union all select n.parent_group_id from nestings n where n.child_group_id = ${id} and ${isOpen("n")})
          and (exists (select 1 from memberships m join people p on p.id = m.person_id and p.deleted_at is null where m.person_id = ${id} and m.group_id = g.id and ${isOpen("m")} and ${mine("m")}${isSeen("user", "p")})
            or exists (select 1 from nestings n join groups c on c.id = n.child_group_id and c.deleted_at is null where n.child_group_id = ${id} and n.parent_group_id = g.id and ${isOpen("n")} and ${mine("n")}${isSeen("group", "c")})))`;
        },
      ],
    ]),
    lengthy: {
      path: "members",
      join: `cross join lateral (select count(*) > ${MOST_AT_ONCE} as is_long from (
          select from memberships m where m.group_id = g.id and ${isOpen("m")} limit ${MOST_AT_ONCE + 1}) few offset 0) lengthy`,
      portions:
        () => `select string_agg(text, ',') as text from (select uuid_hash(p.id) & ${PORTIONS - 1} as portion, ${personText()} as text ${people}) held group by portion
          union all select string_agg(${childText()}, ',') ${children} having count(*) > 0`,
    },
    resource: (without, { sparing } = { sparing: false }) =>
      textOf(
        `'{"schemas":["${CORE_GROUP}"],"id":"'`,
        "g.id",
        `'","meta":'`,
        ...meta(),
        ...(without.has("members") ? [] : [sparing ? `case when not lengthy.is_long then ${membersText()} end` : membersText()]),
        ...remainderParts("d.document"),
      ),
  };
}
