import { createHash } from "node:crypto";

export interface User {
  id: string;
  primaryEmail: string;
  name: { givenName: string; familyName: string; fullName?: string };
  suspended: boolean;
  archived: boolean;
  orgUnitPath: string;
  isAdmin: boolean;
  isDelegatedAdmin: boolean;
  suspensionReason?: string;
  creationTime: string;
  lastLoginTime: string;
  deletionTime?: string;
  [name: string]: unknown;
}

export interface Group {
  id: string;
  email: string;
  name: string;
  description: string;
}

export interface Member {
  id: string;
  email?: string;
  role: string;
  type: "USER" | "GROUP" | "CUSTOMER";
}

export interface Unit {
  orgUnitId: string;
  name: string;
  description: string;
  orgUnitPath: string;
  parentOrgUnitPath?: string;
  parentOrgUnitId?: string;
}

export interface Channel {
  id: string;
  resourceId: string;
  event: string;
  address: string;
  token: string;
  expiration: number;
}

/** A Google Workspace organisation in memory: what the Admin console would show, and a few actions that an administrator has there. */
export interface Organisation {
  customerId: string;
  users: Map<string, User>;
  /** Deleted users are kept for twenty days. */
  deleted: Map<string, User>;
  groups: Map<string, Group>;
  members: Map<string, Map<string, Member>>;
  units: Map<string, Unit>;
  channels: Map<string, Channel>;
  /** How often each user was signed out. */
  signOuts: Map<string, number>;
  now: () => Date;
  /** Grows with every change, so that sorted listings can be kept. */
  version: number;
  addUser(options: { email: string } & Partial<Omit<User, "id" | "primaryEmail">>): User;
  changeUser(id: string, change: Partial<User>): User;
  deleteUser(id: string): void;
  undeleteUser(id: string): void;
  addGroup(options: { email: string; name?: string; members?: readonly string[] }): Group;
  changeGroup(id: string, change: Partial<Group>): void;
  deleteGroup(id: string): void;
  addMember(groupId: string, member: { id: string; type?: Member["type"]; role?: string; email?: string }): void;
  removeMember(groupId: string, memberId: string): void;
  addUnit(path: string): Unit;
  /** Moves or renames a unit with all below it; users in it follow. */
  moveUnit(from: string, to: string): void;
}

export function openOrganisation({ now, customerId = "C01fake234" }: { now: () => Date; customerId?: string }): Organisation {
  let number = 0;
  const long = () => String(100_000_000_000_000_000_000n + BigInt(number++));
  const short = (prefix: string) => `${prefix}${(number++).toString(36).padStart(11, "0")}`;
  const organisation: Organisation = {
    customerId,
    users: new Map(),
    deleted: new Map(),
    groups: new Map(),
    members: new Map(),
    units: new Map(),
    channels: new Map(),
    signOuts: new Map(),
    now,
    version: 0,
    addUser({ email, ...given }) {
      const [login = email] = email.split("@");
      const user: User = {
        id: long(),
        primaryEmail: email.toLowerCase(),
        name: { givenName: login, familyName: "Person" },
        suspended: false,
        archived: false,
        orgUnitPath: "/",
        isAdmin: false,
        isDelegatedAdmin: false,
        creationTime: now().toISOString(),
        lastLoginTime: "1970-01-01T00:00:00.000Z",
        ...given,
      };
      organisation.users.set(user.id, user);
      organisation.version += 1;
      return user;
    },
    changeUser(id, change) {
      const user = found(organisation.users.get(id));
      const next = { ...user, ...change };
      organisation.users.set(id, next);
      organisation.version += 1;
      return next;
    },
    deleteUser(id) {
      const user = found(organisation.users.get(id));
      organisation.users.delete(id);
      organisation.deleted.set(id, { ...user, deletionTime: now().toISOString() });
      for (const members of organisation.members.values()) members.delete(id);
      organisation.version += 1;
    },
    undeleteUser(id) {
      const { deletionTime: _, ...user } = found(organisation.deleted.get(id));
      organisation.deleted.delete(id);
      organisation.users.set(id, user as User);
      organisation.version += 1;
    },
    addGroup({ email, name = email, members = [] }) {
      const group = { id: short("0"), email: email.toLowerCase(), name, description: "" };
      organisation.groups.set(group.id, group);
      organisation.members.set(group.id, new Map());
      for (const id of members) organisation.addMember(group.id, { id });
      organisation.version += 1;
      return group;
    },
    changeGroup(id, change) {
      organisation.groups.set(id, { ...found(organisation.groups.get(id)), ...change });
      organisation.version += 1;
    },
    deleteGroup(id) {
      organisation.groups.delete(id);
      organisation.members.delete(id);
      for (const members of organisation.members.values()) members.delete(id);
      organisation.version += 1;
    },
    addMember(groupId, { id, type = organisation.groups.has(id) ? "GROUP" : "USER", role = "MEMBER", email }) {
      found(organisation.members.get(groupId)).set(id, { id, type, role, ...(email === undefined ? {} : { email }) });
      organisation.version += 1;
    },
    removeMember(groupId, memberId) {
      organisation.members.get(groupId)?.delete(memberId);
      organisation.version += 1;
    },
    addUnit(path) {
      const parent = path === "/" ? undefined : (organisation.units.get(path.slice(0, path.lastIndexOf("/")) || "/") ?? undefined);
      const unit: Unit = {
        orgUnitId: short("id:03ph8a2z"),
        name: path === "/" ? "Company" : path.slice(path.lastIndexOf("/") + 1),
        description: "",
        orgUnitPath: path,
        ...(parent === undefined ? {} : { parentOrgUnitPath: parent.orgUnitPath, parentOrgUnitId: parent.orgUnitId }),
      };
      organisation.units.set(path, unit);
      organisation.version += 1;
      return unit;
    },
    moveUnit(from, to) {
      const moved = (path: string) => (path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path);
      const units = [...organisation.units.values()];
      organisation.units.clear();
      for (const unit of units) {
        const path = moved(unit.orgUnitPath);
        organisation.units.set(path, {
          ...unit,
          orgUnitPath: path,
          name: path === "/" ? unit.name : path.slice(path.lastIndexOf("/") + 1),
          ...(unit.parentOrgUnitPath === undefined ? {} : { parentOrgUnitPath: path.slice(0, path.lastIndexOf("/")) || "/" }),
        });
      }
      for (const unit of organisation.units.values()) {
        const parent = unit.parentOrgUnitPath === undefined ? undefined : organisation.units.get(unit.parentOrgUnitPath);
        if (parent !== undefined) unit.parentOrgUnitId = parent.orgUnitId;
      }
      for (const user of organisation.users.values()) user.orgUnitPath = moved(user.orgUnitPath);
      organisation.version += 1;
    },
  };
  organisation.addUnit("/");
  return organisation;
}

/** A version of a resource: the same while it says the same. */
export function etagOf(resource: unknown): string {
  const digest = createHash("sha256").update(JSON.stringify(resource)).digest("base64url");
  return `"fake/${digest.slice(0, 27)}"`;
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the fake organisation has no such resource");
  return value;
}
