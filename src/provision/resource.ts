import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";
import type { Provision } from "../connections/definition.ts";
import { CUSTOM_USER, EMPLOYMENT_USER, isObject, personAttribute } from "../directory/attributes.ts";
import type { PersonVariables } from "../expressions/environment.ts";
import { compileStored, type Expression } from "../expressions/compile.ts";

/** A target's policy with its expressions compiled. */
export interface CompiledPolicy {
  inScope(person: PersonVariables): boolean;
  /** The SCIM-shaped resource that we want there, without `active`. */
  resource(person: PersonVariables): AttributeObject;
}

/** Policies are checked when they are saved; an expression that does not compile any more fails on whoever it is asked of, and leavers are not asked. */
export function compilePolicy({ scope, attributes }: Provision): CompiledPolicy {
  const inScope = compileStored({ source: scope, subject: "person", expects: "bool", field: "policy.provision.scope" });
  const mapped: [string, Expression][] | undefined =
    attributes &&
    Object.entries(attributes).map(([path, source]) => [
      path,
      compileStored({ source, subject: "person", expects: "any", field: `policy.provision.attributes.${path}` }),
    ]);
  return {
    inScope: (person) => inScope(person) === true,
    // Our own id serves as externalId where the directory has none: to the application, we are the provisioning client.
    resource: (person) => (mapped ? build(person, mapped) : { externalId: person.id, ...withoutOwn(person.profile) }),
  };
}

/** The organisation's own attributes, and dates of employment, mean something to an application only where its mapping names them. */
function withoutOwn(profile: AttributeObject): AttributeObject {
  const { [CUSTOM_USER]: _custom, [EMPLOYMENT_USER]: _employment, ...rest } = profile;
  return rest;
}

function build(person: PersonVariables, mapped: readonly [string, Expression][]): AttributeObject {
  const resource: Record<string, AttributeValue> = {};
  for (const [path, expression] of mapped) {
    const value = expression(person);
    if (value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)) continue;
    place(resource, { path, value });
  }
  return resource;
}

/** Puts a value at a path: `title`, `name.givenName`, `emails`, `emails.work`, `department`, `urn:…:User:department`. */
function place(resource: Record<string, AttributeValue>, { path, value }: { path: string; value: AttributeValue }): void {
  const [head, leaf] = splitPath(path);
  if (leaf === undefined) resource[head] = isList(head) ? elements(value) : value;
  else if (isList(head)) {
    const list = (resource[head] as readonly AttributeObject[] | undefined) ?? [];
    resource[head] = [...list, { value, type: leaf, ...(list.length === 0 ? { primary: true } : {}) }];
  } else {
    const outer = resource[head];
    resource[head] = { ...(isObject(outer) ? outer : {}), [leaf]: value };
  }
}

function splitPath(path: string): [string, string?] {
  const extension = /^(urn:.+:\d+\.\d+:[^:]+):([^:]+)$/.exec(path);
  if (extension?.[1] !== undefined) return [extension[1], extension[2]];
  if (path.startsWith("urn:")) return [path];
  const [head = path, leaf] = personAttribute(path)?.path ?? path.split(".");
  return [head, leaf];
}

function isList(name: string): boolean {
  return personAttribute(name)?.type === "list";
}

/** Strings become elements, the first one primary. */
function elements(value: AttributeValue): AttributeValue {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item, index) => (isObject(item) ? item : { value: String(item), ...(index === 0 ? { primary: true } : {}) }));
}
