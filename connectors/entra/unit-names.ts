import type { SourceRecord } from "../contract.ts";
import type { EntraSettings } from "./config.ts";
import { textOf, type WireObject } from "./json.ts";

/** Where a user stands by properties alone. */
interface Place {
  company: string | undefined;
  department: string | undefined;
}

/** Properties that say where a user stands. */
export function placeProperties(units: EntraSettings["units"]): string[] {
  if (units === "department") return ["department"];
  if (units === "companyName") return ["companyName"];
  return units === "companyNameAndDepartment" ? ["companyName", "department"] : [];
}

/** The reference of the unit that a user's properties name: undefined when they name none. */
export function unitReferenceOf(object: WireObject, units: EntraSettings["units"]): string | undefined {
  return unitsOf(object, units).at(-1)?.nativeId;
}

/** The units that a user's properties name, from the top down: each is known by its name alone, so that a new name is a new unit. */
export function unitsOf(object: WireObject, units: EntraSettings["units"]): SourceRecord[] {
  const names = placeProperties(units);
  const place: Place = {
    company: names.includes("companyName") ? textOf(object["companyName"])?.trim() || undefined : undefined,
    department: names.includes("department") ? textOf(object["department"])?.trim() || undefined : undefined,
  };
  const company = place.company === undefined ? [] : [record({ company: place.company, department: undefined })];
  return place.department === undefined ? company : [...company, record(place)];
}

function record({ company, department }: Place): SourceRecord {
  const nativeId = referenceOf({ company, department });
  return {
    kind: "unit",
    nativeId,
    attributes: { id: nativeId, name: department ?? company ?? "", type: department === undefined ? "company" : "department" },
    ...(department !== undefined && company !== undefined ? { parent: referenceOf({ company, department: undefined }) } : {}),
  };
}

function referenceOf({ company, department }: Place): string {
  const parts = [
    ...(company === undefined ? [] : [`company=${encode(company)}`]),
    ...(department === undefined ? [] : [`department=${encode(department)}`]),
  ];
  return parts.join("/");
}

/** A lone surrogate can't be encoded, nor can anybody mean it. */
function encode(name: string): string {
  return encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\u{FFFD}"));
}

/** What a reference names; undefined when it is none of these. */
export function placeOf(reference: string, units: EntraSettings["units"]): WireObject | undefined {
  const match = /^(?:company=([^/]+))?(?:(?:^|\/)department=([^/]+))?$/.exec(reference);
  if (!match || reference === "") return undefined;
  try {
    const place = {
      ...(match[1] === undefined ? {} : { companyName: decodeURIComponent(match[1]) }),
      ...(match[2] === undefined ? {} : { department: decodeURIComponent(match[2]) }),
    };
    return unitReferenceOf(place, units) === reference ? place : undefined;
  } catch {
    // No reference of ours.
    return undefined;
  }
}
