import type { AttributeObject, AttributeValue, RecordProblem, SourceRecord } from "../contract.ts";
import type { GoogleSettings } from "./config.ts";
import { attributesOf, isObject, objectsIn, textOf, textsIn } from "./json.ts";

type Resource = Readonly<Record<string, unknown>>;

/** What is asked of each resource. Neither sign-ins nor etags are kept: whoever signs in has not changed. */
export const USER_FIELDS =
  "id,etag,primaryEmail,aliases,name(givenName,familyName,fullName),suspended,archived,orgUnitPath,isAdmin,isDelegatedAdmin,creationTime,externalIds,organizations,phones,relations,languages,customSchemas";
export const GROUP_FIELDS = "id,etag,email,aliases,name,description,directMembersCount";
export const UNIT_FIELDS = "orgUnitId,name,description,orgUnitPath,parentOrgUnitPath";

/** How users.list and users.get are asked for custom attributes. */
export function projectionOf({ customSchemas }: GoogleSettings): Readonly<Record<string, string>> {
  return customSchemas.length === 0
    ? { projection: "basic" }
    : { projection: "custom", customFieldMask: [...customSchemas].sort().join(",") };
}

export function isProblem(read: SourceRecord | RecordProblem): read is RecordProblem {
  return "code" in read;
}

/** Always in the same order: the same user is the same text, whatever order the answer has. What a user lacks is left out. */
export function userRecord(user: Resource): SourceRecord | RecordProblem {
  const nativeId = textOf(user["id"]);
  const primaryEmail = textOf(user["primaryEmail"]);
  if (nativeId === undefined) return withoutId("user", primaryEmail);
  const name = isObject(user["name"]) ? user["name"] : {};
  const job = primaryOf(objectsIn(user["organizations"]));
  const phones = objectsIn(user["phones"]);
  const suspended = user["suspended"] === true;
  const archived = user["archived"] === true;
  const attributes = present({
    primaryEmail,
    aliases: textsIn(user["aliases"]),
    givenName: textOf(name["givenName"]),
    familyName: textOf(name["familyName"]),
    fullName: textOf(name["fullName"]),
    // Google leaves out what is false.
    suspended,
    archived,
    active: !suspended && !archived,
    admin: user["isAdmin"] === true || user["isDelegatedAdmin"] === true,
    orgUnitPath: textOf(user["orgUnitPath"]),
    creationTime: textOf(user["creationTime"]),
    employeeId: valueOfType(objectsIn(user["externalIds"]), "organization"),
    title: textOf(job["title"]),
    department: textOf(job["department"]),
    costCenter: textOf(job["costCenter"]),
    organization: textOf(job["name"]),
    employeeType: textOf(job["description"]),
    workPhone: valueOfType(phones, "work"),
    mobilePhone: valueOfType(phones, "mobile"),
    managerEmail: managerOf(user),
    language: textOf(primaryOf(objectsIn(user["languages"]))["languageCode"]),
    custom: isObject(user["customSchemas"]) ? attributesOf(user["customSchemas"]) : undefined,
  });
  return { kind: "user", nativeId, attributes };
}

/** Who was deleted in the last twenty days; Google tells when. */
export function deletedRecord(user: Resource): SourceRecord | undefined {
  const nativeId = textOf(user["id"]);
  if (nativeId === undefined) return undefined;
  const at = new Date(textOf(user["deletionTime"]) ?? Number.NaN);
  return { kind: "user", nativeId, deleted: true, attributes: {}, ...(Number.isNaN(at.getTime()) ? {} : { changedAt: at }) };
}

/** Without its members, which are asked for one group at a time. */
export function groupRecord(group: Resource): SourceRecord | RecordProblem {
  const nativeId = textOf(group["id"]);
  const email = textOf(group["email"]);
  if (nativeId === undefined) return withoutId("group", email);
  const attributes = present({
    email,
    aliases: textsIn(group["aliases"]),
    name: textOf(group["name"]),
    description: textOf(group["description"]),
  });
  return { kind: "group", nativeId, attributes };
}

/** Users name their unit by its path, so that the path is the reference. */
export function unitRecord(unit: Resource): SourceRecord | RecordProblem {
  const nativeId = textOf(unit["orgUnitId"]);
  const reference = textOf(unit["orgUnitPath"]);
  if (nativeId === undefined || reference === undefined) return withoutId("unit", reference);
  const parent = textOf(unit["parentOrgUnitPath"]);
  return {
    kind: "unit",
    nativeId,
    reference,
    attributes: present({ name: textOf(unit["name"]) ?? reference, description: textOf(unit["description"]), orgUnitPath: reference }),
    ...(parent === undefined || parent === reference ? {} : { parent }),
  };
}

/** The e-mail address of a user's manager. */
export function managerOf(user: Resource): string | undefined {
  return valueOfType(objectsIn(user["relations"]), "manager")?.toLowerCase();
}

function withoutId(kind: SourceRecord["kind"], name: string | undefined): RecordProblem {
  const called = name ?? "without a name";
  return { kind, nativeId: called, code: "no_native_id", message: `Google lists a ${kind} (${called}) without its ID; it is left out.` };
}

function primaryOf(elements: readonly Resource[]): Resource {
  return elements.find((element) => element["primary"] === true) ?? elements[0] ?? {};
}

function valueOfType(elements: readonly Resource[], type: string): string | undefined {
  const ofType = elements.filter((element) => element["type"] === type);
  return textOf(primaryOf(ofType)["value"]);
}

function present(values: Readonly<Record<string, AttributeValue | undefined>>): AttributeObject {
  const there = Object.entries(values).filter(
    (entry): entry is [string, AttributeValue] => entry[1] !== undefined && !(Array.isArray(entry[1]) && entry[1].length === 0),
  );
  return Object.fromEntries(there);
}
