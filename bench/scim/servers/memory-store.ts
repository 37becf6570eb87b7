import { randomUUID } from "node:crypto";
import SCIMMY from "scimmy";
import { directoryOf, userAt } from "../directory.ts";
import { groupDocument, userDocument } from "../documents.ts";
import { stamped, USUAL_COUNT, type Kind, type Resource, type Store } from "./routers-store.ts";

/** Everything in two maps; filters by scimmy's own match, over everybody. */
export function memoryStore(people: number): Store {
  const directory = directoryOf(people);
  const held: Record<Kind, Map<string, Resource>> = { users: new Map(), groups: new Map() };
  const names = new Map<string, string>();
  for (let index = 0; index < directory.people; index++) {
    const user = userDocument(directory, index);
    held.users.set(user.id, user);
    names.set(userAt(directory.company, index).userName.toLowerCase(), user.id);
  }
  for (const index of directory.groups.keys()) {
    const group = groupDocument(directory, index);
    held.groups.set(group.id, group);
  }

  return {
    findOne: (kind, id) => Promise.resolve(held[kind].get(id)),
    findMany(kind, { filter, constraints: { startIndex = 1, count = USUAL_COUNT } }) {
      const all = [...held[kind].values()];
      const matching = filter ? (filter.match(all) as Resource[]) : all;
      // Only the page: scimmy makes an instance of everything that it is given.
      const resources = matching.slice(startIndex - 1, startIndex - 1 + count);
      return Promise.resolve({ resources, total: matching.length, paged: true });
    },
    create(kind, attributes) {
      const name = String(attributes["userName"]).toLowerCase();
      if (kind === "users" && names.has(name)) throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
      const stored = stamped(randomUUID(), attributes);
      held[kind].set(stored.id, stored);
      if (kind === "users") names.set(name, stored.id);
      return Promise.resolve(stored);
    },
    update(kind, id, attributes) {
      const before = held[kind].get(id);
      if (!before) return Promise.resolve(undefined);
      const stored = stamped(id, attributes, before.meta.created);
      held[kind].set(id, stored);
      return Promise.resolve(stored);
    },
    remove: (kind, id) => Promise.resolve(held[kind].delete(id)),
  };
}
