import { ACCESS_USER, CORE_USER, CUSTOM_USER, EMPLOYMENT_USER, ENTERPRISE_USER } from "../../directory/attributes.ts";
import type { PersonReader } from "./person-client.ts";
import { resourceTotal } from "./resource-total.ts";
import { usersAccess } from "./users-access.ts";
import { usersIndexed } from "./users-indexed.ts";
import {
  isOpen,
  isoInstant,
  jsonParts,
  literal,
  remainderParts,
  stringParts,
  textOf,
  whenUsed,
  type Parameters,
  type View,
  type ViewOptions,
} from "./view.ts";

const ENTERPRISE = literal(ENTERPRISE_USER);

/**
 * People as one SCIM client sees them: its own account's attributes where it wrote one, else the merged person;
 * active, groups and ids are ours. Somebody whom this client deleted is gone for it, though others still hold them.
 */
export function usersView({ parameters, connectionId, base, visibility, reader }: ViewOptions): View {
  const connection = `${parameters.add(connectionId)}::integer`;
  const door = `${parameters.add(base)}::text`;
  const doorText = whenUsed(parameters, { value: JSON.stringify(base).slice(1, -1), type: "text" });
  const kept = reader && keptParameters(parameters, reader);
  // What is given is named, so that a statement that shows nobody, or no reference, still has a use for its parameters.
  const given = [door, ...(kept ? Object.values(kept) : [])].map((each) => `${each} is not null`).join(" and ");
  const present = `${given} and p.deleted_at is null and p.state <> 'deleted'`;
  const isOwn = (kind: "user" | "group", alias: string) =>
    `own.connection_id = ${connection} and own.kind = '${kind}' and own.native_id = ${alias}.id::text`;
  const isGroupSeen =
    visibility === "own" ? ` and exists (select 1 from accounts own where ${isOwn("group", "g")} and own.gone_at is null)` : "";
  const held = `from groups g where g.deleted_at is null and g.id = any (array(select m.group_id from memberships m where m.person_id = p.id and ${isOpen("m")}))${isGroupSeen}`;
  // A minute earlier, for what was under way then, and for clocks that differ. A group's name is shown, too, and when that changed is not
  // kept by itself. What is seen of a group may change by itself for who sees only its own.
  const moved = "p.modified_at - interval '1 minute'";
  const driftsSince = `exists (select from believed_memberships m join groups g on g.id = m.group_id where m.person_id = p.id
    and (m.recorded_from > ${moved} or g.modified_at > ${moved}${visibility === "own" ? " or m.valid_to is null" : ""}))`;
  const versions = ["p.version", "'.'", "coalesce(a.version, 0)"];
  const version = textOf(`'W/"'`, ...versions, `'"'`);
  const groupText = () =>
    textOf(
      ...jsonParts({
        value: stringParts("g.id"),
        $ref: stringParts(doorText(), "'/Groups/'", "g.id"),
        display: ["to_json(g.display_name::text)"],
        type: [`'"direct"'`],
      }),
    );
  const groups = () => `(select concat(',"groups":[', string_agg(${groupText()}, ',' order by g.id), ']') ${held} having count(*) > 0)`;
  // Each group is told once for a page. Row by row through its index: how long a page is, a plan made for all pages does not know.
  const groupsOfPage = () => `held as materialized (select page.id as person_id, open.group_id from page cross join lateral
      (select m.group_id from memberships m where m.person_id = page.id and ${isOpen("m")} offset 0) open),
    told as materialized (select g.id, ${groupText()} as text from groups g where g.deleted_at is null and g.id = any (array(select distinct group_id from held))${isGroupSeen}),
    grouped as materialized (select held.person_id, concat(',"groups":[', string_agg(told.text, ',' order by told.id), ']') as text
      from held join told on told.id = held.group_id group by held.person_id)`;
  const meta = () =>
    jsonParts({
      resourceType: [`'"User"'`],
      created: stringParts(isoInstant("p.created_at")),
      lastModified: stringParts(isoInstant("p.modified_at")),
      location: stringParts(doorText(), "'/Users/'", "p.id"),
      version: [`'"W/\\"'`, ...versions, `'\\""'`],
    });
  const ownAccount = (condition: string) => `exists (select 1 from accounts own where ${isOwn("user", "p")} and ${condition})`;

  // Mostly a document is right about it; taking it out would cost a copy of the whole.
  const saysActive = "(d.document->'active')::text = p.active::text";
  const access = usersAccess(door);
  const resource = (without: ReadonlySet<string>, groupsText: () => string) =>
    remembered([connection, door, doorText(), visibility ?? "", groupsText === groups, ...without].join(" "), () =>
      textOf(
        `'{"schemas":["${CORE_USER}"'`,
        extensionText(ENTERPRISE_USER),
        extensionText(EMPLOYMENT_USER),
        extensionText(CUSTOM_USER),
        ...(access.isAsked(without) ? [literal(`,"${ACCESS_USER}"`)] : []),
        `'],"id":"'`,
        "p.id",
        `'"'`,
        `case when ${saysActive} then null else concat(',"active":', p.active::text) end`,
        `',"meta":'`,
        ...meta(),
        ...(without.has("groups") ? [] : [groupsText()]),
        ...(access.isAsked(without) ? [access.text(without)] : []),
        ...remainderParts(`case when ${saysActive} or not d.document ? 'active' then d.document else d.document - 'active' end`),
      ),
    );

  return {
    table: "people p",
    id: "p.id",
    joins: `left join accounts a on a.connection_id = ${connection} and a.kind = 'user' and a.native_id = p.id::text
      cross join lateral (select case when a.id is not null then a.attributes when p.manager_id is null then p.attributes
        else p.attributes || jsonb_build_object(${ENTERPRISE}, coalesce(p.attributes->${ENTERPRISE}, '{}'::jsonb) || jsonb_build_object('manager', jsonb_build_object('value', p.manager_id)))
        end as document offset 0) ${kept ? `w ${keptBack(kept)}` : "d"}`,
    visible: `${present} and a.gone_at is null${visibility === "own" ? " and a.id is not null" : ""}`,
    unjoined:
      visibility === "own"
        ? { visible: `${present} and ${ownAccount("own.gone_at is null")}` }
        : {
            visible: `${present} and not ${ownAccount("own.gone_at is not null")}`,
            total: `(case when ${given} then ${resourceTotal({ connection, kind: "user", table: "people", present: "q.deleted_at is null and q.state <> 'deleted'" })} end)`,
          },
    document: "d.document",
    version,
    drifts: { path: "groups", since: driftsSince },
    columns: new Map([
      ["id", { sql: "p.id::text", type: "text" }],
      ["active", { sql: "p.active", type: "boolean" }],
      ["meta", { sql: "p.id", type: "text" }],
      ["meta.resourcetype", { sql: "'User'::text", type: "text" }],
      ["meta.created", { sql: "p.created_at", type: "instant" }],
      ["meta.lastmodified", { sql: "p.modified_at", type: "instant" }],
      ["meta.location", { sql: `(${door} || '/Users/' || p.id)`, type: "text" }],
      ["meta.version", { sql: version, type: "text" }],
    ]),
    onRequest: access.onRequest,
    collections: new Map([
      ...access.collections,
      [
        "groups",
        `select jsonb_build_object('value', g.id, '$ref', ${door} || '/Groups/' || g.id, 'display', g.display_name, 'type', 'direct') as element ${held}`,
      ],
      [
        "schemas",
        `select to_jsonb(urn) as element from unnest(array[${[CORE_USER, ENTERPRISE_USER, EMPLOYMENT_USER, CUSTOM_USER].map(literal).join(", ")}]) as urn where urn = ${literal(CORE_USER)} or d.document ? urn`,
      ],
    ]),
    ...usersIndexed({ parameters, connection, isGroupSeen }),
    resource: (without) => resource(without, groups),
    gathered: (without) =>
      without.has("groups")
        ? undefined
        : {
            tables: groupsOfPage(),
            joins: "left join grouped on grouped.person_id = page.id",
            resource: resource(without, () => "grouped.text"),
          },
  };
}

const CUSTOM = literal(CUSTOM_USER);

/** Who reads, and what is kept back from them: placeholders with their types. */
interface KeptParameters {
  person: string;
  hidden: string;
  own: string;
}

function keptParameters(parameters: Parameters, { personId, hidden, own }: PersonReader): KeptParameters {
  return { person: `${parameters.add(personId)}::uuid`, hidden: `${parameters.add(hidden)}::text`, own: `${parameters.add(own)}::text` };
}

/** The document `d` that a person sees of the whole one, `w`: before anything is filtered, sorted or shown. */
function keptBack({ person, hidden, own }: KeptParameters): string {
  const keys = (text: string) => `string_to_array(${text}, ',')`;
  return `cross join lateral (select case when w.document ? ${CUSTOM} then (w.document - ${CUSTOM}) || case when shown.rest = '{}' then '{}' else jsonb_build_object(${CUSTOM}, shown.rest) end
        else w.document end as document
      from (select coalesce(w.document->${CUSTOM}, '{}') - ${keys(hidden)} - case when p.id = ${person} then '{}' else ${keys(own)} end as rest) shown offset 0) d`;
}

/** Texts by all that they depend on: the placeholders' numbers, of which there are few. */
const TEXTS = new Map<string, string>();
const MOST_TEXTS = 500;

function remembered(key: string, make: () => string): string {
  const known = TEXTS.get(key);
  if (known !== undefined) return known;
  const made = make();
  if (TEXTS.size >= MOST_TEXTS) TEXTS.clear();
  TEXTS.set(key, made);
  return made;
}

function extensionText(urn: string): string {
  return `case when d.document ? ${literal(urn)} then ',"${urn}"' end`;
}
