import { randomUUID } from "node:crypto";

/** A tenant of Microsoft Entra ID as Microsoft Graph shows it: users, groups, administrative units, and what became of each when. */

export type Properties = Record<string, unknown>;
export type Collection = "users" | "groups" | "administrativeUnits";

export interface DirectoryObject {
  id: string;
  collection: Collection;
  properties: Properties;
  /** Of groups and administrative units: ids, in the order of joining. */
  members: Set<string>;
  manager?: string;
}

/** One change, as the delta query of its collection sees it. */
export interface Change {
  seq: number;
  collection: Collection;
  id: string;
  /** Properties and relationships that it touched; nothing for a new or removed object. */
  touched?: readonly string[];
  member?: { id: string; isIn: boolean };
}

export interface Tenant {
  objects: Map<string, DirectoryObject>;
  /** Deleted softly: restorable. */
  deleted: Map<string, DirectoryObject>;
  /** Whose object this was: what is deleted for good is still told apart. */
  collectionOf: Map<string, Collection>;
  log: Change[];
  add(collection: Collection, properties: Properties): string;
  change(id: string, properties: Properties): void;
  setManager(id: string, manager: string | undefined): void;
  addMember(collectionId: string, memberId: string): void;
  removeMember(collectionId: string, memberId: string): void;
  /** Softly, as an administrator deletes; administrative units go for good. */
  remove(id: string): void;
  removeForGood(id: string): void;
  restore(id: string): void;
  all(collection: Collection): DirectoryObject[];
}

/** @param now what the clock of the tenant shows */
export function createTenant(now: () => Date = () => new Date()): Tenant {
  const objects = new Map<string, DirectoryObject>();
  const deleted = new Map<string, DirectoryObject>();
  const collectionOf = new Map<string, Collection>();
  const log: Change[] = [];
  const note = (change: Omit<Change, "seq">) => void log.push({ seq: log.length + 1, ...change });
  const held = (id: string): DirectoryObject => {
    const object = objects.get(id);
    if (!object) throw new Error(`the tenant has no ${id}`);
    return object;
  };

  const tenant: Tenant = {
    objects,
    deleted,
    collectionOf,
    log,
    add(collection, properties) {
      const id = randomUUID();
      const made = { createdDateTime: now().toISOString(), ...DEFAULTS[collection], ...properties };
      objects.set(id, { id, collection, properties: made, members: new Set() });
      collectionOf.set(id, collection);
      note({ collection, id });
      return id;
    },
    change(id, properties) {
      const object = held(id);
      Object.assign(object.properties, properties);
      note({ collection: object.collection, id, touched: Object.keys(properties) });
    },
    setManager(id, manager) {
      const object = held(id);
      if (manager === undefined) delete object.manager;
      else object.manager = manager;
      note({ collection: "users", id, touched: ["manager"] });
    },
    addMember(collectionId, memberId) {
      const object = held(collectionId);
      if (object.members.has(memberId)) return;
      object.members.add(memberId);
      note({ collection: object.collection, id: collectionId, touched: ["members"], member: { id: memberId, isIn: true } });
    },
    removeMember(collectionId, memberId) {
      const object = held(collectionId);
      if (!object.members.delete(memberId)) return;
      note({ collection: object.collection, id: collectionId, touched: ["members"], member: { id: memberId, isIn: false } });
    },
    remove(id) {
      const object = held(id);
      if (object.collection === "administrativeUnits") return tenant.removeForGood(id);
      objects.delete(id);
      deleted.set(id, { ...object, properties: { ...object.properties, deletedDateTime: now().toISOString() } });
      note({ collection: object.collection, id });
    },
    removeForGood(id) {
      const object = objects.get(id) ?? deleted.get(id);
      if (!object) return;
      objects.delete(id);
      deleted.delete(id);
      for (const each of [...objects.values()]) {
        tenant.removeMember(each.id, id);
        if (each.manager === id) tenant.setManager(each.id, undefined);
      }
      note({ collection: object.collection, id });
    },
    restore(id) {
      const object = deleted.get(id);
      if (!object) throw new Error(`${id} is not among the deleted`);
      deleted.delete(id);
      const { deletedDateTime: _deleted, ...properties } = object.properties;
      objects.set(id, { ...object, properties });
      note({ collection: object.collection, id });
    },
    all: (collection) => [...objects.values()].filter((object) => object.collection === collection),
  };
  return tenant;
}

const DEFAULTS: Readonly<Record<Collection, Properties>> = {
  users: { accountEnabled: true, userType: "Member", businessPhones: [] },
  groups: { groupTypes: [], mailEnabled: false, securityEnabled: true },
  administrativeUnits: {},
};

export const TYPES: Readonly<Record<Collection, string>> = {
  users: "#microsoft.graph.user",
  groups: "#microsoft.graph.group",
  administrativeUnits: "#microsoft.graph.administrativeUnit",
};
