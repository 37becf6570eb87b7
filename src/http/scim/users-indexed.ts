import { ENTERPRISE_USER } from "../../directory/attributes.ts";
import { isOpen, isUuid, likePart, type Narrowing, type Parameters, type View } from "./view.ts";

const MANAGER = `${ENTERPRISE_USER}:manager.value`.toLowerCase();
const EMPLOYEE_NUMBER = `${ENTERPRISE_USER}:employeeNumber`.toLowerCase();

/** A trigram index needs three letters or digits in a row. */
const IS_SEARCHABLE = /[a-z0-9]{3}/i;

/** What stands in a person's words as it is, but for case: ASCII without what lists and JSON are written with. */
const PLAIN = /[ !#-+\--Z^-~]+/g;

/** The longest part of a value that is found among a person's words, which are folded otherwise than documents are compared. */
function plainPart(value: string): string {
  const parts = (value.match(PLAIN) ?? []).filter((part) => IS_SEARCHABLE.test(part));
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}

export interface UsersIndexedOptions {
  parameters: Parameters;
  /** Placeholder of the client's connection. */
  connection: string;
  /** Condition that holds where the client sees the group `g`; empty, or begins with `and`. */
  isGroupSeen: string;
}

/** What indexes answer about people: a document stands in the person or in this client's account, so each condition asks both. */
export function usersIndexed({ parameters, connection, isGroupSeen }: UsersIndexedOptions): Pick<View, "equals" | "narrows"> {
  /**
   * Those who may be meant. Accounts are found by `account` alone, and kept by connection afterwards: there is one index
   * for each such condition, and the planner is tempted by others that begin with the connection and lead through all of it.
   */
  const among = ({ person, account }: { person: string; account: string }) =>
    `p.id in (select q.id from people q where ${person}
        union all select b.person_id from (select b.person_id, b.connection_id from accounts b where b.scim_user_name is not null and ${account} offset 0) b
          where b.connection_id = ${connection} and b.person_id is not null)`;
  /** Through an index to the few who may be meant, then exactly as the document says. */
  const exactly = ({ exact, ...places }: { person: string; account: string; exact: string }) =>
    `(${among(places)} and coalesce(${exact}, false))`;
  const text = (value: string) => `${parameters.add(value)}::text`;

  /**
   * Whose texts meet these conditions on `s`, and whose have changed since they were taken over: what those say now has to be asked
   * afterwards. Row by row from the few that were found: a plan made before the value is known takes them for many.
   * What has changed is asked by the places of its rows, for which all of it is read, too: before PostgreSQL 18 a sequential scan where
   * those are off costs so much that any other plan of the whole seems as cheap, one that goes through everybody included.
   */
  const searched = ({ person, account }: { person: string; account: string }) =>
    `p.id in (select s.person_id from person_search s where ${person}
        union all select c.person_id from search_changes c where c.ctid >= '(0,0)' and c.person_id is not null
        union all select b.person_id from (select s.account_id as id from account_search s where ${account}
            union all select c.account_id from search_changes c where c.ctid >= '(0,0)' and c.account_id is not null offset 0) s
          cross join lateral (select a.person_id, a.connection_id from accounts a where a.id = s.id offset 0) b
          where b.connection_id = ${connection} and b.person_id is not null)`;
  const like = (part: string) => `like '%' || lower(${text(likePart(part))}) || '%'`;
  const contains = (part: string) => searched({ person: `s.words ${like(plainPart(part))}`, account: `s.written ${like(part)}` });
  const parts = ({ value }: Narrowing) => (IS_SEARCHABLE.test(value) ? contains(value) : undefined);

  return {
    equals: new Map([
      ["id", (value) => (isUuid(value) ? `(p.id = ${parameters.add(value)}::uuid)` : "false")],
      [
        "username",
        (value) => {
          const name = text(value);
          return exactly({
            person: `lower(q.user_name::text) = lower(${name}) and q.state <> 'deleted'`,
            account: `b.connection_id = ${connection} and b.scim_user_name = lower(${name})`,
            exact: `lower(nullif(d.document->>'userName', '')) = lower(${name})`,
          });
        },
      ],
      [
        "externalid",
        (value) => {
          const id = text(value);
          return exactly({
            person: `q.external_id = ${id}`,
            account: `b.connection_id = ${connection} and b.kind = 'user' and b.scim_external_id = ${id}`,
            exact: `nullif(d.document->>'externalId', '') = ${id}`,
          });
        },
      ],
      [
        "emails.value",
        (value) => {
          const address = text(value);
          const holds = `${address} <> '' and lower(jsonb_path_query_array(d.document, '$.emails[*].value')::text)::jsonb ? lower(${address})`;
          const has = `s.emails ? lower(${address})`;
          return `(${searched({ person: has, account: has })} and coalesce(${holds}, false))`;
        },
      ],
      [
        "groups.value",
        (value) =>
          isUuid(value)
            ? `(p.id in (select m.person_id from memberships m join groups g on g.id = m.group_id and g.deleted_at is null where m.group_id = ${parameters.add(value)}::uuid and ${isOpen("m")}${isGroupSeen}))`
            : "false",
      ],
    ]),
    narrows: new Map([
      ["username", parts],
      ["displayname", parts],
      [EMPLOYEE_NUMBER, parts],
      // Within the text of a list of addresses they stand as JSON writes them.
      ["emails.value", ({ value }) => (IS_SEARCHABLE.test(value) ? contains(JSON.stringify(value).slice(1, -1)) : undefined)],
      [
        MANAGER,
        ({ operator, value }) => {
          if (operator !== "eq") return undefined;
          return among({
            person: isUuid(value) ? `q.manager_id = ${parameters.add(value)}::uuid` : "false",
            account: `b.connection_id = ${connection} and b.scim_manager = lower(${text(value)})`,
          });
        },
      ],
    ]),
  };
}
