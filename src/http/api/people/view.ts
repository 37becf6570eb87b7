import type { z } from "zod";
import type { AttributeObject, AttributeValue } from "../../../../connectors/contract.ts";
import { relationTo } from "../../../access/relation.ts";
import { ENTERPRISE_USER, isObject } from "../../../directory/attributes.ts";
import { listCustomAttributes } from "../../../directory/custom-attributes.ts";
import { LIFTED_BY_HAND } from "../../../directory/lifecycle-transitions.ts";
import { readPerson } from "../../../directory/person-detail.ts";
import { visibleTo } from "../../../directory/person-edit-rights.ts";
import { personExpiry } from "../../../directory/person-expiry.ts";
import { blocksOfPerson } from "../../../directory/person-lifecycle.ts";
import { unitsOfPerson } from "../../../directory/person-units.ts";
import { overriddenEdits } from "../../../sync/local-edit.ts";
import type { ApiCall } from "../route.ts";
import type { personSchema } from "./schemas.ts";

/** A person as the caller may see them. Throws `not_found`. */
export async function personView(call: ApiCall, id: string): Promise<z.input<typeof personSchema>> {
  const { sql } = call;
  const person = await readPerson(sql, id);
  const relation = await relationTo(sql, { reach: await call.reach("rollcall.people.view"), personId: id });
  const shown = new Set(visibleTo(relation, await listCustomAttributes(sql)).map(({ key }) => key));
  const isHidden = (key: string) => key.startsWith("custom.") && !shown.has(key.slice("custom.".length));
  const { attributes, custom, managerId, manager, local, mastery, ...rest } = person;
  return {
    ...rest,
    ...profileOf(attributes),
    custom: Object.fromEntries(Object.entries(custom).filter(([key]) => shown.has(key))),
    state: person.state as z.input<typeof personSchema>["state"],
    blocks: (await blocksOfPerson(sql, id)).map((block) => ({ ...block, liftable: LIFTED_BY_HAND.includes(block.owner) })),
    expiresAt: await personExpiry(sql, id),
    mastery: Object.fromEntries(Object.entries(mastery).filter(([key]) => !isHidden(key))),
    overridden: overriddenEdits({ attributes, managerId, local }).filter((key) => !isHidden(key)),
    units: await unitsOfPerson(sql, id),
    manager: managerId === null ? null : { id: managerId, displayName: manager ?? "" },
  };
}

/** The profile's standard attributes, every one there, whatever an origin's mapping made of them. */
function profileOf(profile: AttributeObject) {
  const enterprise = isObject(profile[ENTERPRISE_USER]) ? profile[ENTERPRISE_USER] : {};
  const of = (holder: AttributeObject) => (key: string) => text(holder[key]);
  const [core, more] = [of(profile), of(enterprise)];
  return {
    name: texts(profile["name"]),
    displayName: core("displayName"),
    nickName: core("nickName"),
    profileUrl: core("profileUrl"),
    title: core("title"),
    userType: core("userType"),
    preferredLanguage: core("preferredLanguage"),
    locale: core("locale"),
    timezone: core("timezone"),
    emails: elements(profile["emails"]),
    phoneNumbers: elements(profile["phoneNumbers"]),
    addresses: objects(profile["addresses"]),
    externalId: core("externalId"),
    employeeNumber: more("employeeNumber"),
    costCenter: more("costCenter"),
    organization: more("organization"),
    division: more("division"),
    department: more("department"),
  };
}

function text(value: AttributeValue | undefined): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function texts(value: AttributeValue | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(isObject(value) ? value : {}).flatMap(([key, each]) => (typeof each === "string" ? [[key, each]] : [])),
  );
}

function objects(value: AttributeValue | undefined): AttributeObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Mappings may make lists of plain texts. */
function elements(value: AttributeValue | undefined): { value: string; type?: string; primary?: boolean }[] {
  return (Array.isArray(value) ? value : []).flatMap((each: unknown) => {
    if (typeof each === "string") return [{ value: each }];
    if (!isObject(each) || typeof each["value"] !== "string") return [];
    const { type, primary, ...rest } = each;
    return [
      {
        ...rest,
        value: each["value"],
        ...(typeof type === "string" ? { type } : {}),
        ...(typeof primary === "boolean" ? { primary } : {}),
      },
    ];
  });
}
