import { createHash } from "node:crypto";
import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";
import { CUSTOM_PREFIX, isObject, primaryEmail, type Contribution } from "../directory/attributes.ts";
import { checkedCustomValues } from "../directory/custom-values.ts";
import { MATCHED_BY } from "../directory/person-edit-rights.ts";
import { AppError, type Problem } from "../errors.ts";
import type { ImportInput } from "./import-columns.ts";
import type { ImportFacts } from "./import-facts.ts";
import { withoutWrongManagers } from "./import-managers.ts";
import { inTurns } from "./in-turns.ts";
import { currentContribution, decideLocalEdit, type DecidedEdit } from "./local-edit.ts";

export interface ImportChange {
  field: string;
  before: AttributeValue;
  after: AttributeValue;
}

/** What a row comes to. */
export interface PlannedRow {
  line: number;
  action: "create" | "update" | "unchanged" | "error";
  /** Of somebody new, the id that they will have. */
  personId: string | null;
  /** Of the person when it was decided; null for somebody new. */
  version: number | null;
  problems: readonly Problem[];
  changes: readonly ImportChange[];
  contribution: Contribution;
  edit: DecidedEdit | null;
  state: "active" | "invited";
  units: { add: readonly string[]; remove: readonly number[] };
}

/** Decides about every row. Pure but for giving way to others; `idOf` names the people who will be new. */
export async function planRows(
  inputs: readonly ImportInput[],
  { facts, idOf }: { facts: ImportFacts; idOf: (line: number) => string },
): Promise<PlannedRow[]> {
  const decided = matchRows(inputs, facts);
  const newcomers = new Map(
    decided.flatMap(({ input, personId, problems }) =>
      personId === null && problems.length === 0 && input.userName !== undefined ? [[input.userName.toLowerCase(), idOf(input.line)]] : [],
    ),
  );
  const planned = await inTurns(decided, ({ input, personId, problems }) =>
    planRow(input, { facts, personId, newId: idOf(input.line), newcomers, problems }),
  );
  return withoutWrongManagers(planned, facts);
}

/** What the plan is, as a hash: applied is what was looked at, or nothing. */
export function planHash(rows: readonly PlannedRow[]): string {
  const hash = createHash("sha256");
  for (const { line, action, personId, version, problems, changes, state, units } of rows)
    hash.update(JSON.stringify([line, action, personId, version, problems, changes, state, units.add, units.remove.length]));
  return hash.digest("hex");
}

interface Matched {
  input: ImportInput;
  /** Null = nobody is known. */
  personId: string | null;
  problems: Problem[];
}

const TAKEN = "somebody else has it already";

function matchRows(inputs: readonly ImportInput[], facts: ImportFacts): Matched[] {
  // Two of each are enough to name another: tens of thousands of rows may say the same.
  const linesOf = new Map<string, number[]>();
  const claim = (name: string, line: number) => {
    const known = linesOf.get(name);
    if (!known) linesOf.set(name, [line]);
    else if (known.length < 2) known.push(line);
  };
  const matched = inputs.map((input) => {
    const result = matchRow(input, facts);
    const { userName, email, line } = input;
    if (userName !== undefined) claim(`userName ${userName.toLowerCase()}`, line);
    if (email !== undefined) claim(`email ${email.toLowerCase()}`, line);
    if (result.personId !== null) claim(`person ${result.personId}`, line);
    return result;
  });
  return matched.map((result) => {
    const { userName, email, line } = result.input;
    const again = (field: string, name: string): Problem[] => {
      const other = (linesOf.get(name) ?? []).find((each) => each !== line);
      return other === undefined ? [] : [{ field, message: `stands in line ${other}, too` }];
    };
    const doubled = [
      ...(userName === undefined ? [] : again("userName", `userName ${userName.toLowerCase()}`)),
      ...(email === undefined ? [] : again("email", `email ${email.toLowerCase()}`)),
      ...(result.personId === null ? [] : again("line", `person ${result.personId}`)),
    ];
    return { ...result, problems: [...result.problems, ...doubled.slice(0, 1)] };
  });
}

/** By login, address or employee number; they must not say different things. */
function matchRow(input: ImportInput, facts: ImportFacts): Matched {
  const problems = [...input.problems];
  const numbered = input.employeeNumber === undefined ? [] : (facts.byEmployeeNumber.get(input.employeeNumber) ?? []);
  const ways: [string, string | undefined][] = [
    ["userName", input.userName === undefined ? undefined : facts.byUserName.get(input.userName)],
    ["email", input.email === undefined ? undefined : facts.byEmail.get(input.email)],
    ["employeeNumber", numbered.length > 1 ? undefined : numbered[0]],
  ];
  const found = ways.filter((way): way is [string, string] => way[1] !== undefined);
  const [first] = found;
  const other = found.find(([, id]) => id !== first?.[1]);
  if (numbered.length > 1 && !first) problems.push({ field: "employeeNumber", message: "is that of several people: name the login" });
  if (first && !facts.inReach.has(first[1])) return { input, personId: null, problems: [{ field: first[0], message: TAKEN }] };
  if (first && other) problems.push({ field: other[0], message: TAKEN });
  if (!first && input.userName === undefined) problems.push({ field: "userName", message: "is needed for somebody new" });
  return { input, personId: first?.[1] ?? null, problems };
}

interface RowOptions {
  facts: ImportFacts;
  personId: string | null;
  newId: string;
  newcomers: ReadonlyMap<string, string>;
  problems: readonly Problem[];
}

function planRow(input: ImportInput, { facts, personId, newId, newcomers, problems: known }: RowOptions): PlannedRow {
  const problems = [...known];
  const person = personId === null ? undefined : facts.people.get(personId);
  const attributes = person?.attributes ?? {};
  const { manager, units: codes } = input;
  const managerId = manager === undefined ? undefined : (newcomers.get(manager.toLowerCase()) ?? facts.managers.get(manager));
  if (manager !== undefined && managerId === undefined) problems.push({ field: "manager", message: "there is no such person" });
  const contribution: Record<string, AttributeValue> = {
    ...input.plain,
    ...emailsOf(attributes, input.email),
    ...phonesOf(attributes, input.phones),
    ...customOf(input, { facts, whole: !person, problems }),
    ...(managerId === undefined ? {} : { manager: managerId }),
  };
  const units = unitsOf(codes, { facts, personId: person ? personId : null, problems });
  if (!person && codes === undefined && !facts.organisation)
    problems.push({ field: "units", message: "needs one of yours: people without a unit are the organisation's" });
  const row = { line: input.line, contribution, units, state: input.state ?? "active" };
  if (!person || personId === null) {
    const called = [contribution["name.givenName"], contribution["name.familyName"]].filter(Boolean).join(" ");
    if (contribution["displayName"] === undefined && called !== "") contribution["displayName"] = called;
    const changes = Object.entries(contribution).map(([field, after]) => ({ field, before: null, after }));
    return problems.length > 0
      ? { ...row, action: "error", personId: null, version: null, problems, changes: [], edit: null }
      : { ...row, action: "create", personId: newId, version: null, problems, changes, edit: null };
  }
  const before = currentContribution({ attributes, managerId: facts.above.get(personId) ?? null });
  // A login in other letters is the same login.
  const given = Object.entries(contribution).filter(
    ([key, value]) => key !== "userName" || String(value).toLowerCase() !== String(before["userName"]).toLowerCase(),
  );
  const edit = decideLocalEdit({
    person,
    managerId: facts.above.get(personId) ?? null,
    speakers: facts.speakers,
    now: facts.now,
    changes: Object.fromEntries(given),
  });
  if (edit.asked.includes("userName")) problems.push({ field: "userName", message: "a login can't be changed once it is set" });
  for (const { key, connectionId } of edit.refused)
    if (key !== "userName")
      problems.push({ field: columnOf(key), message: `is mastered by ${facts.connections.get(connectionId) ?? "an origin"}` });
  if (facts.by?.personId === personId && !facts.by.organisation)
    for (const key of edit.changed.filter((each) => each === "emails" || MATCHED_BY.has(each)))
      problems.push({ field: columnOf(key), message: "is left to other administrators: it says who you are" });
  const changes = edit.changed.map((field) => ({ field, before: before[field] ?? null, after: contribution[field] ?? null }));
  const changed = changes.length > 0 || units.add.length > 0 || units.remove.length > 0;
  const at = { ...row, personId, version: person.version };
  return problems.length > 0
    ? { ...at, action: "error", problems, changes: [], edit: null }
    : { ...at, action: changed ? "update" : "unchanged", problems, changes, edit };
}

function customOf(
  input: ImportInput,
  { facts, whole, problems }: { facts: ImportFacts; whole: boolean; problems: Problem[] },
): Record<string, AttributeValue> {
  try {
    const values = checkedCustomValues(facts.catalogue, { values: input.custom, whole });
    return Object.fromEntries(
      Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [[`${CUSTOM_PREFIX}${key}`, value]])),
    );
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    problems.push(...error.problems);
    return {};
  }
}

/** The address that somebody is written to becomes another; further ones stay. */
function emailsOf(attributes: AttributeObject, email: string | undefined): Record<string, AttributeValue> {
  const primary = primaryEmail(attributes);
  if (email === undefined || email.toLowerCase() === primary?.toLowerCase()) return {};
  const others = elements(attributes["emails"]).filter(
    ({ value }) => value !== primary && String(value).toLowerCase() !== email.toLowerCase(),
  );
  return { emails: [{ value: email, type: "work", primary: true }, ...others.map((each) => ({ ...each, primary: false }))] };
}

/** The number of this type becomes another; further ones stay. */
function phonesOf(attributes: AttributeObject, phones: ImportInput["phones"]): Record<string, AttributeValue> {
  const before = elements(attributes["phoneNumbers"]);
  const wanted = phones.filter(({ type, value }) => !before.some((each) => each["type"] === type && each["value"] === value));
  if (wanted.length === 0) return {};
  const replaced = new Set(wanted.map(({ type }): AttributeValue => type));
  return { phoneNumbers: [...before.filter((each) => !replaced.has(each["type"] ?? null)), ...wanted.map((each) => ({ ...each }))] };
}

function unitsOf(
  codes: readonly string[] | undefined,
  { facts, personId, problems }: { facts: ImportFacts; personId: string | null; problems: Problem[] },
): PlannedRow["units"] {
  if (codes === undefined) return { add: [], remove: [] };
  const known = personId === null ? facts.unitsToCreate : facts.unitsToEdit;
  const held = personId === null ? [] : (facts.held.get(personId) ?? []);
  const unknown = codes.find((code) => !known.has(code.toLowerCase()));
  if (unknown !== undefined)
    problems.push({ field: "units", message: `there is no unit with the code ${unknown.slice(0, 100)} in which you may do this` });
  const wanted = codes.flatMap((code) => known.get(code.toLowerCase()) ?? []);
  const gone = held.filter(({ unitId }) => !wanted.includes(unitId));
  const foreign = gone.find(({ connection }) => connection !== null);
  if (foreign) problems.push({ field: "units", message: `${foreign.connection} puts the person into another unit: take them out there` });
  else if (gone.some(({ inReach }) => !inReach))
    problems.push({ field: "units", message: "the person is in a unit, too, out of which you may not take them" });
  return {
    add: wanted.filter((id) => !held.some(({ unitId }) => unitId === id)),
    remove: gone.filter(({ connection }) => connection === null).map(({ rowId }) => rowId),
  };
}

function columnOf(key: string): string {
  return key === "emails" ? "email" : key.startsWith("name.") ? key.slice("name.".length) : key;
}

function elements(value: AttributeValue | undefined): AttributeObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
