import type { Answer, Asked } from "./answer.ts";
import type { DeltaQueries } from "./delta.ts";
import type { Directory } from "./directory.ts";
import type { FaultKind } from "./faults.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Collection } from "./tenant.ts";

export interface Route {
  /** Any of these application permissions suffices. */
  allowedBy: readonly string[];
  answer(): Answer | Promise<Answer>;
}

const READ: Readonly<Record<Collection, readonly string[]>> = {
  users: ["User.Read.All", "User.ReadWrite.All", "Directory.Read.All"],
  groups: ["GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"],
  administrativeUnits: ["AdministrativeUnit.Read.All", "Directory.Read.All"],
};
const WRITE: Readonly<Record<Collection, readonly string[]>> = {
  users: ["User.ReadWrite.All", "Directory.ReadWrite.All"],
  groups: ["Group.ReadWrite.All", "Directory.ReadWrite.All"],
  administrativeUnits: ["AdministrativeUnit.ReadWrite.All"],
};
const FOLDERS: Readonly<Record<string, Collection>> = {
  users: "users",
  groups: "groups",
  "directory/administrativeUnits": "administrativeUnits",
};

/** What Microsoft Graph does for a request, and who may ask for it; undefined where there is no such address. */
export function routeOf(
  asked: Asked,
  {
    directory,
    deltas,
    subscriptions,
    fault,
  }: { directory: Directory; deltas: DeltaQueries; subscriptions: Subscriptions; fault: FaultKind | undefined },
): Route | undefined {
  const { method, path } = asked;
  const subscription = /^\/subscriptions(?:\/([\w-]+))?$/.exec(path);
  if (subscription) return subscriptionRoute(asked, { subscriptions, id: subscription[1] });
  const deleted = /^\/directory\/deletedItems\/([\w-]+)(\/restore)?$/.exec(path);
  if (deleted?.[1] !== undefined) {
    const [, id, restoring] = deleted;
    if (restoring && method === "POST") return { allowedBy: WRITE.users, answer: () => directory.restore(id) };
    return method === "GET" && !restoring ? { allowedBy: READ.users, answer: () => directory.deletedItem(id) } : undefined;
  }
  const match = /^\/(users|groups|directory\/administrativeUnits)(?:\/([^/]+))?(?:\/(.+))?$/.exec(path);
  const collection = FOLDERS[match?.[1] ?? ""];
  if (!match || !collection) return undefined;
  const [, , id, rest] = match;
  const read = (answer: () => Answer): Route => ({ allowedBy: READ[collection], answer });
  const write = (answer: () => Answer): Route => ({ allowedBy: WRITE[collection], answer });

  if (id === undefined) {
    if (method === "GET") return read(() => directory.list(collection, asked));
    return method === "POST" ? write(() => directory.create(collection, asked)) : undefined;
  }
  if (rest === undefined && method === "GET" && /^(microsoft\.graph\.)?delta(\(\))?$/.test(id))
    return read(() => deltas.answer(collection, asked, fault));
  if (rest === undefined && method === "GET" && id === "$count") return read(() => directory.count(collection, asked));
  if (rest === undefined) {
    if (method === "GET") return read(() => directory.read(collection, id, asked));
    if (method === "DELETE") return write(() => directory.remove(collection, id));
    if (method !== "PATCH") return undefined;
    const onlyEnables = Object.keys(asked.body).every((name) => name === "accountEnabled");
    return {
      allowedBy: [...WRITE[collection], ...(onlyEnables ? ["User.EnableDisableAccount.All"] : [])],
      answer: () => directory.update(collection, id, asked),
    };
  }
  if (rest === "members" && method === "GET") return read(() => directory.members(collection, id, asked));
  if (rest === "memberOf" && method === "GET") return { allowedBy: [...READ.groups], answer: () => directory.memberships(id, asked) };
  if (rest === "members/$ref" && method === "POST")
    return { allowedBy: [...WRITE[collection], "GroupMember.ReadWrite.All"], answer: () => directory.addMember(collection, id, asked) };
  const member = /^members\/([\w-]+)\/\$ref$/.exec(rest)?.[1];
  if (member !== undefined && method === "DELETE")
    return { allowedBy: [...WRITE[collection], "GroupMember.ReadWrite.All"], answer: () => directory.removeMember(collection, id, member) };
  if (rest === "revokeSignInSessions" && method === "POST")
    return { allowedBy: [...WRITE.users, "User.RevokeSessions.All"], answer: () => directory.revokeSessions(id) };
  return undefined;
}

/** Whoever may read a resource may subscribe to it; everybody sees, renews and ends their own. */
function subscriptionRoute(
  asked: Asked,
  { subscriptions, id }: { subscriptions: Subscriptions; id: string | undefined },
): Route | undefined {
  const { method, body } = asked;
  if (id === undefined && method === "GET") return { allowedBy: [...READ.users, ...READ.groups], answer: () => subscriptions.list() };
  if (id === undefined && method === "POST") {
    const allowedBy = body["resource"] === "groups" ? ["Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"] : READ.users;
    return { allowedBy, answer: () => subscriptions.create(asked) };
  }
  if (id === undefined) return undefined;
  if (method === "PATCH") return { allowedBy: [...READ.users, ...READ.groups], answer: () => subscriptions.renew(id, asked) };
  return method === "DELETE" ? { allowedBy: [...READ.users, ...READ.groups], answer: () => subscriptions.remove(id) } : undefined;
}
