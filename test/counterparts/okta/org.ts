import type { Clock } from "./clock.ts";
import { invalid, notFound } from "./errors.ts";

export type UserStatus =
  "STAGED" | "PROVISIONED" | "ACTIVE" | "RECOVERY" | "PASSWORD_EXPIRED" | "LOCKED_OUT" | "SUSPENDED" | "DEPROVISIONED";
export type GroupType = "OKTA_GROUP" | "APP_GROUP" | "BUILT_IN";
export type Profile = Record<string, unknown>;

export interface OktaUser {
  id: string;
  status: UserStatus;
  transitioningToStatus: UserStatus | null;
  created: string;
  activated: string | null;
  statusChanged: string | null;
  lastLogin: string | null;
  lastUpdated: string;
  profile: Profile;
}

export interface OktaGroup {
  id: string;
  type: GroupType;
  created: string;
  lastUpdated: string;
  lastMembershipUpdated: string;
  profile: Profile;
  members: Set<string>;
}

/** What a listing shows of a resource that changed: its index may be behind (`indexLagMs`). */
interface Indexed<T> {
  at: number;
  /** Undefined once deleted. */
  state: T | undefined;
}

/** People, groups and their lifecycles, as Okta's reference says that they behave. Acts at once; the HTTP server only speaks for it. */
export interface OktaOrg {
  readonly id: string;
  readonly clock: Clock;
  /** In the order of their ids. */
  readonly users: Map<string, OktaUser>;
  readonly groups: Map<string, OktaGroup>;
  /** Sessions and OAuth tokens of each person. */
  readonly access: Map<string, { sessions: number; tokens: number }>;
  /** Group rules put people back who are taken out of these groups. */
  readonly ruled: Set<string>;
  /** How far what listings show is behind. */
  indexLagMs: number;
  /** How many reads a deactivation is in progress for. */
  deactivationReads: number;
  user(id: string): OktaUser;
  group(id: string): OktaGroup;
  addUser(profile: Profile, options?: { activate?: boolean }): OktaUser;
  updateUser(id: string, profile: Profile, options?: { replace?: boolean }): OktaUser;
  /** Deactivates; deletes who is deactivated. */
  removeUser(id: string): void;
  lifecycle(id: string, operation: Lifecycle): OktaUser;
  /** As Okta's own events do: a wrong password too often, a password that is too old. */
  setStatus(id: string, status: UserStatus): void;
  addGroup(profile: Profile, type?: GroupType): OktaGroup;
  updateGroup(id: string, profile: Profile): OktaGroup;
  removeGroup(id: string): void;
  addMember(groupId: string, userId: string): void;
  removeMember(groupId: string, userId: string): void;
  /** Whether Okta lets somebody in; who comes in has a session and a token. */
  signIn(id: string): boolean;
  endSessions(id: string, options: { oauthTokens: boolean }): void;
  /** What a listing shows now. */
  listed(kind: "users"): Iterable<OktaUser>;
  listed(kind: "groups"): Iterable<OktaGroup>;
}

export type Lifecycle = "activate" | "deactivate" | "suspend" | "unsuspend" | "unlock";

const ALLOWED_IN: ReadonlySet<UserStatus> = new Set(["ACTIVE", "PASSWORD_EXPIRED", "RECOVERY"]);

export function openOrg(clock: Clock): OktaOrg {
  let made = 0;
  const idOf = (prefix: string) => prefix + (++made).toString(36).padStart(17, "0");
  const text = () => clock.now().toISOString();
  const indexes = { users: new Map<string, Indexed<OktaUser>[]>(), groups: new Map<string, Indexed<OktaGroup>[]>() };
  const transitions = new Map<string, number>();

  const org: OktaOrg = {
    id: "00o00000000000000000",
    clock,
    users: new Map(),
    groups: new Map(),
    access: new Map(),
    ruled: new Set(),
    indexLagMs: 0,
    deactivationReads: 0,

    user(id) {
      const found = org.users.get(id);
      if (!found) throw notFound(id, "User");
      const reads = transitions.get(id);
      if (reads !== undefined) {
        if (reads > 0) transitions.set(id, reads - 1);
        else settle(found);
      }
      return found;
    },
    group(id) {
      const found = org.groups.get(id);
      if (!found) throw notFound(id, "UserGroup");
      return found;
    },
    addUser(profile, { activate = true } = {}) {
      const { login } = profile;
      if (typeof login !== "string" || login === "") throw invalid("login", "login: The field cannot be left blank");
      for (const each of org.users.values())
        if (each.profile["login"] === login)
          throw invalid("login", "login: An object with this field already exists in the current organization");
      const at = text();
      const user: OktaUser = {
        id: idOf("00u"),
        status: activate ? "ACTIVE" : "STAGED",
        transitioningToStatus: null,
        created: at,
        activated: activate ? at : null,
        statusChanged: activate ? at : null,
        lastLogin: null,
        lastUpdated: at,
        profile: { firstName: null, lastName: null, mobilePhone: null, secondEmail: null, email: login, ...profile },
      };
      org.users.set(user.id, user);
      everyone().members.add(user.id);
      noteUser(user);
      return user;
    },
    updateUser(id, profile, { replace = false } = {}) {
      const user = org.user(id);
      if (user.status === "DEPROVISIONED") throw invalid("user", "Cannot update the profile of a deactivated user");
      user.profile = replace ? { ...profile } : { ...user.profile, ...profile };
      touch(user);
      return user;
    },
    removeUser(id) {
      const user = org.user(id);
      if (user.status !== "DEPROVISIONED") {
        become(user, "DEPROVISIONED");
        org.access.delete(id);
        return;
      }
      org.users.delete(id);
      for (const group of org.groups.values()) group.members.delete(id);
      indexes.users.get(id)?.push({ at: clock.now().getTime(), state: undefined });
    },
    lifecycle(id, operation) {
      const user = org.user(id);
      const refused = (sentence: string) => invalid(operation, sentence);
      if (operation === "suspend") {
        if (user.status !== "ACTIVE") throw refused("Cannot suspend a user that is not active");
        become(user, "SUSPENDED");
      } else if (operation === "unsuspend") {
        if (user.status !== "SUSPENDED") throw refused("Cannot unsuspend a user that is not suspended");
        become(user, "ACTIVE");
      } else if (operation === "activate") {
        if (user.status !== "STAGED" && user.status !== "DEPROVISIONED") throw refused("Cannot activate a user that is already active");
        become(user, user.status === "STAGED" ? "ACTIVE" : "PROVISIONED");
      } else if (operation === "unlock") {
        if (user.status !== "LOCKED_OUT") throw refused("Cannot unlock a user that is not locked out");
        become(user, "ACTIVE");
      } else if (user.status === "DEPROVISIONED") throw refused("Cannot deactivate a user that is already deactivated");
      else if (org.deactivationReads > 0 && !transitions.has(id)) {
        transitions.set(id, org.deactivationReads);
        user.transitioningToStatus = "DEPROVISIONED";
        touch(user);
      } else if (!transitions.has(id)) settle(user);
      return user;
    },
    setStatus: (id, status) => become(org.user(id), status),
    addGroup(profile, type = "OKTA_GROUP") {
      const { name } = profile;
      if (typeof name !== "string" || name === "") throw invalid("name", "name: The field cannot be left blank");
      const at = text();
      const group: OktaGroup = {
        ...{ id: idOf("00g"), type, created: at, lastUpdated: at, lastMembershipUpdated: at },
        profile: { name, ...profile },
        members: new Set(),
      };
      org.groups.set(group.id, group);
      noteGroup(group);
      return group;
    },
    updateGroup(id, profile) {
      const group = org.group(id);
      if (group.type !== "OKTA_GROUP") throw invalid("group", "Only groups of type OKTA_GROUP can be changed");
      group.profile = { ...profile };
      group.lastUpdated = text();
      noteGroup(group);
      return group;
    },
    removeGroup(id) {
      org.group(id);
      org.groups.delete(id);
      indexes.groups.get(id)?.push({ at: clock.now().getTime(), state: undefined });
    },
    addMember(groupId, userId) {
      const [group, user] = [org.group(groupId), org.user(userId)];
      if (group.members.has(user.id)) return;
      group.members.add(user.id);
      group.lastMembershipUpdated = text();
      noteGroup(group);
    },
    removeMember(groupId, userId) {
      const [group, user] = [org.group(groupId), org.user(userId)];
      if (org.ruled.has(groupId) || !group.members.delete(user.id)) return;
      group.lastMembershipUpdated = text();
      noteGroup(group);
    },
    signIn(id) {
      const user = org.users.get(id);
      if (!user || !ALLOWED_IN.has(user.status)) return false;
      const held = org.access.get(id) ?? { sessions: 0, tokens: 0 };
      org.access.set(id, { sessions: held.sessions + 1, tokens: held.tokens + 1 });
      user.lastLogin = text();
      return true;
    },
    endSessions(id, { oauthTokens }) {
      const user = org.user(id);
      const held = org.access.get(user.id);
      if (held) org.access.set(user.id, { sessions: 0, tokens: oauthTokens ? 0 : held.tokens });
    },
    listed: ((kind: "users" | "groups") => shown(kind)) as OktaOrg["listed"],
  };

  function become(user: OktaUser, status: UserStatus): void {
    user.status = status;
    user.statusChanged = text();
    if (status === "ACTIVE") user.activated ??= user.statusChanged;
    touch(user);
  }

  function settle(user: OktaUser): void {
    transitions.delete(user.id);
    user.transitioningToStatus = null;
    org.access.delete(user.id);
    become(user, "DEPROVISIONED");
  }

  function touch(user: OktaUser): void {
    user.lastUpdated = text();
    noteUser(user);
  }

  /** Keeps what listings showed before, while they are behind. */
  function note<T extends { id: string }>(index: Map<string, Indexed<T>[]>, state: T): void {
    const at = clock.peek().getTime();
    const visible = at - org.indexLagMs;
    const before = index.get(state.id) ?? [];
    const shownNow = before.findLastIndex((each) => each.at <= visible);
    index.set(state.id, [...before.slice(Math.max(0, shownNow)), { at, state: structuredClone(state) }]);
  }

  function noteUser(user: OktaUser): void {
    if (org.indexLagMs > 0) note(indexes.users, user);
  }

  function noteGroup(group: OktaGroup): void {
    if (org.indexLagMs > 0) note(indexes.groups, group);
  }

  function* shown(kind: "users" | "groups"): Iterable<OktaUser | OktaGroup> {
    if (org.indexLagMs === 0) return yield* org[kind].values();
    const visible = clock.peek().getTime() - org.indexLagMs;
    const index: Map<string, Indexed<OktaUser | OktaGroup>[]> = indexes[kind];
    for (const id of new Set([...org[kind].keys(), ...index.keys()].sort())) {
      const versions = index.get(id);
      const state = versions ? versions.findLast((each) => each.at <= visible)?.state : org[kind].get(id);
      if (state) yield state;
    }
  }

  function everyone(): OktaGroup {
    for (const group of org.groups.values()) if (group.type === "BUILT_IN") return group;
    return org.addGroup({ name: "Everyone", description: "All users in your organization" }, "BUILT_IN");
  }
  everyone();
  return org;
}
