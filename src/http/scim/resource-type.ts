import { groupsView } from "./groups-view.ts";
import { GROUP, USER, type ResourceSchema } from "./schema.ts";
import { usersView, type ViewOptions } from "./users-view.ts";
import type { View } from "./view.ts";

/** A type of resource at this door: its schema, and how it is seen. */
export interface ResourceType {
  kind: "user" | "group";
  schema: ResourceSchema;
  view(options: ViewOptions): View;
}

export const USERS: ResourceType = { kind: "user", schema: USER, view: usersView };
export const GROUPS: ResourceType = { kind: "group", schema: GROUP, view: groupsView };
