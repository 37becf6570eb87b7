import { randomBytes } from "node:crypto";
import { badRequest, failure, notFound, type Answer, type Asked } from "./answer.ts";
import { selected, unknownProperty } from "./properties.ts";
import { TYPES, type Collection, type DirectoryObject, type Properties, type Tenant } from "./tenant.ts";

/** Plain reads and writes of the directory: everything but delta queries. */
export interface Directory {
  list(collection: Collection, asked: Asked): Answer;
  count(collection: Collection, asked: Asked): Answer;
  read(collection: Collection, id: string, asked: Asked): Answer;
  members(collection: Collection, id: string, asked: Asked): Answer;
  memberships(id: string, asked: Asked): Answer;
  deletedItem(id: string): Answer;
  restore(id: string): Answer;
  create(collection: Collection, asked: Asked): Answer;
  update(collection: Collection, id: string, asked: Asked): Answer;
  remove(collection: Collection, id: string): Answer;
  addMember(collection: Collection, id: string, asked: Asked): Answer;
  removeMember(collection: Collection, id: string, member: string): Answer;
  revokeSessions(id: string): Answer;
  /** Which reads by id show what was true before the last change: replicas lag. */
  lagging: Map<string, DirectoryObject>;
}

export interface DirectoryOptions {
  base: () => string;
  now: () => Date;
  /** Objects a page, at most, whatever is asked. */
  pageSize: number;
}

const FOLDERS: Readonly<Record<Collection, string>> = {
  users: "users",
  groups: "groups",
  administrativeUnits: "directory/administrativeUnits",
};

export function createDirectory(tenant: Tenant, { base, now, pageSize }: DirectoryOptions): Directory {
  /** Listings under way: what is left of each. */
  const listings = new Map<string, readonly string[]>();
  const lagging = new Map<string, DirectoryObject>();
  const at = (collection: Collection, id: string) => {
    const object = lagging.get(id) ?? tenant.objects.get(id);
    return object?.collection === collection ? object : undefined;
  };
  const page = (
    asked: Asked,
    { ids, folder, show, count }: { ids: readonly string[]; folder: string; show: (id: string) => Properties[]; count?: number },
  ): Answer => {
    const most = Math.min(pageSize, Number(asked.query.get("$top") ?? 100));
    const rest = ids.slice(most);
    const query = new URLSearchParams(asked.query);
    if (rest.length > 0) {
      const token = randomBytes(18).toString("base64url");
      listings.set(token, rest);
      query.set("$skiptoken", token);
      query.delete("$count");
    }
    const next = rest.length > 0 ? { "@odata.nextLink": `${base()}/${folder}?${query.toString()}` } : {};
    return {
      status: 200,
      body: {
        "@odata.context": `${base()}/$metadata#${folder}`,
        ...(count === undefined ? {} : { "@odata.count": count }),
        ...next,
        value: ids.slice(0, most).flatMap(show),
      },
    };
  };
  const related = (asked: Asked, ids: readonly string[], folder: string): Answer => {
    const token = asked.query.get("$skiptoken");
    const left = token === null ? ids : listings.get(token);
    if (!left) return expiredPage();
    const select = asked.query.get("$select")?.split(",");
    return page(asked, {
      ids: left,
      folder,
      show: (id) => {
        const object = tenant.objects.get(id);
        return object ? [{ "@odata.type": TYPES[object.collection], ...selected(object, select ?? ["id", "displayName"]) }] : [];
      },
    });
  };

  return {
    lagging,
    list(collection, asked) {
      const { query } = asked;
      const top = query.get("$top");
      if (top !== null && !(Number(top) >= 1 && Number(top) <= 999))
        return badRequest("Invalid page size specified: must be between 1 and 999 inclusive.");
      const select = query.get("$select")?.split(",");
      const unknown = select && unknownProperty(collection, select);
      if (unknown) return badRequest(`Could not find a property named '${unknown}' on type '${TYPES[collection].slice(1)}'.`);
      const counted = query.get("$count") === "true";
      if (counted && !isEventual(asked)) return unsupported();
      const token = query.get("$skiptoken");
      const filter = query.get("$filter");
      const matching = () => tenant.all(collection).filter((object) => filter === null || matches(object, filter));
      const ids = token === null ? matching().map(({ id }) => id) : listings.get(token);
      if (!ids) return expiredPage();
      return page(asked, {
        ids,
        folder: FOLDERS[collection],
        show: (id) => {
          const object = tenant.objects.get(id);
          return object ? [selected(object, select)] : [];
        },
        ...(counted ? { count: ids.length } : {}),
      });
    },
    count: (collection, asked) =>
      isEventual(asked)
        ? { status: 200, headers: { "content-type": "text/plain" }, body: String(tenant.all(collection).length) }
        : unsupported(),
    read(collection, id, { query }) {
      const object = at(collection, id);
      if (!object) return notFound(id);
      const select = query.get("$select")?.split(",");
      const unknown = select && unknownProperty(collection, select);
      if (unknown) return badRequest(`Could not find a property named '${unknown}' on type '${TYPES[collection].slice(1)}'.`);
      const manager =
        query.get("$expand")?.startsWith("manager") === true && object.manager !== undefined && tenant.objects.has(object.manager);
      return {
        status: 200,
        body: {
          "@odata.context": `${base()}/$metadata#${collection}/$entity`,
          ...selected(object, select),
          ...(manager ? { manager: { "@odata.type": TYPES.users, id: object.manager } } : {}),
        },
      };
    },
    members(collection, id, asked) {
      const object = at(collection, id);
      return object
        ? related(
            asked,
            [...object.members].filter((member) => tenant.objects.has(member)),
            `${FOLDERS[collection]}/${id}/members`,
          )
        : notFound(id);
    },
    memberships(id, asked) {
      if (!at("users", id)) return notFound(id);
      const ids = [...tenant.objects.values()].flatMap((object) => (object.members.has(id) ? [object.id] : []));
      return related(asked, ids, `users/${id}/memberOf`);
    },
    deletedItem(id) {
      const object = tenant.deleted.get(id);
      return object
        ? { status: 200, body: { "@odata.type": TYPES[object.collection], ...selected(object, ["id", "displayName", "deletedDateTime"]) } }
        : notFound(id);
    },
    restore(id) {
      if (!tenant.deleted.has(id)) return notFound(id);
      tenant.restore(id);
      const object = tenant.objects.get(id);
      return object ? { status: 200, body: { "@odata.type": TYPES[object.collection], ...selected(object, undefined) } } : notFound(id);
    },
    create(collection, { body }) {
      const { passwordProfile: _password, ...properties } = body;
      const unknown = unknownProperty(collection, Object.keys(properties));
      if (unknown) return badRequest(`Invalid property '${unknown}'.`);
      if (
        collection === "users" &&
        tenant.all("users").some((user) => user.properties["userPrincipalName"] === properties["userPrincipalName"])
      )
        return badRequest("Another object with the same value for property userPrincipalName already exists.");
      const id = tenant.add(collection, properties);
      const object = tenant.objects.get(id);
      return object ? { status: 201, body: selected(object, undefined) } : notFound(id);
    },
    update(collection, id, { body }) {
      const object = tenant.objects.get(id);
      if (object?.collection !== collection) return notFound(id);
      const unknown = unknownProperty(collection, Object.keys(body));
      if (unknown) return badRequest(`Invalid property '${unknown}'.`);
      if ("signInSessionsValidFromDateTime" in body)
        return badRequest("Property 'signInSessionsValidFromDateTime' is read-only and cannot be set.");
      if (object.properties["onPremisesSyncEnabled"] === true)
        return badRequest(
          "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.",
        );
      tenant.change(id, body);
      return { status: 204 };
    },
    remove(collection, id) {
      if (tenant.objects.get(id)?.collection !== collection) return notFound(id);
      tenant.remove(id);
      return { status: 204 };
    },
    addMember(collection, id, { body }) {
      const member =
        String(body["@odata.id"] ?? "")
          .split("/")
          .at(-1) ?? "";
      const object = tenant.objects.get(id);
      if (object?.collection !== collection || !tenant.objects.has(member)) return notFound(member);
      if (object.members.has(member))
        return badRequest("One or more added object references already exist for the following modified properties: 'members'.");
      tenant.addMember(id, member);
      return { status: 204 };
    },
    removeMember(collection, id, member) {
      const object = tenant.objects.get(id);
      if (object?.collection !== collection || !object.members.has(member)) return notFound(member);
      if ((object.properties["groupTypes"] as readonly string[] | undefined)?.includes("DynamicMembership"))
        return badRequest("Insufficient permissions: membership of a dynamic group is computed by its rule.");
      tenant.removeMember(id, member);
      return { status: 204 };
    },
    revokeSessions(id) {
      if (!at("users", id)) return notFound(id);
      tenant.change(id, { signInSessionsValidFromDateTime: now().toISOString() });
      return { status: 200, body: { "@odata.context": `${base()}/$metadata#Edm.Boolean`, value: true } };
    },
  };
}

function isEventual({ headers }: Asked): boolean {
  return headers["consistencylevel"]?.toLowerCase() === "eventual";
}

function unsupported(): Answer {
  return badRequest(
    "Request with $count query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
    "Request_UnsupportedQuery",
  );
}

function expiredPage(): Answer {
  return failure(
    400,
    "Directory_ExpiredPageToken",
    "The specified page token value has expired and can no longer be included in your request.",
  );
}

/** `name eq 'value'`, several joined by `and`; compared without regard to case, as the directory does. */
function matches({ properties }: DirectoryObject, filter: string): boolean {
  return filter.split(/ and (?=\w+ eq ')/).every((part) => {
    const [, name, value] = /^(\w+) eq '(.*)'$/.exec(part) ?? [];
    return name !== undefined && String(properties[name] ?? "").toLowerCase() === value?.replaceAll("''", "'").toLowerCase();
  });
}
