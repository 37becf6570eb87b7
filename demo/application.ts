import { isObject } from "../src/directory/attributes.ts";
import type { CompanyPerson } from "./company.ts";
import type { Downstream, StoredResource } from "./downstream.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/** An account in the application downstream, in the few words that the demo shows. */
export interface Account {
  id: string;
  active: boolean;
  department: string;
  roles: readonly string[];
  groups: readonly string[];
}

/** Every account, by login, as it stood. */
export type Snapshot = ReadonlyMap<string, Account>;

export function snapshotOf(downstream: Downstream): Snapshot {
  const groups = downstream.groups();
  return new Map(downstream.users().map((user) => [String(user["userName"]), read(user, groups)]));
}

export function accountOf(downstream: Downstream, { uid }: Pick<CompanyPerson, "uid">): Account | undefined {
  const user = downstream.users().find(({ userName }) => userName === uid);
  return user && read(user, downstream.groups());
}

function read(user: StoredResource, groups: readonly StoredResource[]): Account {
  const extension = user[ENTERPRISE];
  return {
    id: user.id,
    active: user["active"] !== false,
    department: isObject(extension) && typeof extension["department"] === "string" ? extension["department"] : "",
    roles: listOf(user["roles"])
      .map(({ value }) => String(value))
      .sort(),
    groups: groups
      .filter(({ members }) => listOf(members).some(({ value }) => value === user.id))
      .map(({ displayName }) => String(displayName))
      .sort(),
  };
}

function listOf(value: unknown): { value?: unknown }[] {
  return Array.isArray(value) ? value : [];
}

/** What to read: `active, Security, register-advanced-user`. */
export function describe(account: Account | undefined): string {
  if (!account) return "no account";
  return [account.active ? "active" : "inactive", account.department, ...account.roles, ...account.groups.map((name) => `in ${name}`)]
    .filter(Boolean)
    .join(", ");
}

export function sameAccount(left: Account, right: Account | undefined): boolean {
  return right !== undefined && describe(left) === describe(right) && left.id === right.id;
}
