import type { Call } from "./call.ts";
import { groupsView } from "./groups-view.ts";
import type { ResourceSchema } from "./schema.ts";
import { usersView } from "./users-view.ts";
import type { View, ViewOptions } from "./view.ts";

/** A type of resource at this door: its schema, and how it is seen. */
export interface ResourceType {
  kind: "user" | "group" | "unit" | "role";
  schema: ResourceSchema;
  view(options: ViewOptions): View;
}

/** A type whose resources a client may write. */
export interface WritableType extends ResourceType {
  kind: "user" | "group";
}

/** The type as this call's organisation has it: its schema knows the custom attributes. */
export function writableType({ schemas }: Pick<Call, "schemas">, kind: WritableType["kind"]): WritableType {
  return kind === "user" ? { kind, schema: schemas.user, view: usersView } : { kind, schema: schemas.group, view: groupsView };
}
