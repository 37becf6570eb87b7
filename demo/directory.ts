import type { CompanyGroup, CompanyPerson, CompanyUnit } from "./company.ts";

/** The company's directory, as its administrator changes it. Each change answers when it was done. */
export interface DemoDirectory {
  /** How the story names it: `LDAP`, `the CSV feed`. */
  name: string;
  /** What was started, for the reader. */
  about: string;
  /** The definition of the connection, beside the secrets that it names. */
  definitionFile: string;
  remove(person: CompanyPerson): Promise<Date>;
  add(person: CompanyPerson, groups: readonly CompanyGroup[]): Promise<Date>;
  /** To another unit, with all that says so, and from one group to another. */
  move(person: CompanyPerson, move: Move): Promise<Date>;
  /** How somebody who looks around makes a change of their own. */
  tryIt: string;
  stop(): Promise<void>;
}

export interface Move {
  unit: CompanyUnit;
  department: string;
  from: CompanyGroup;
  to: CompanyGroup;
}
