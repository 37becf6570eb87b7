import type { Call } from "./call.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Parameters, View } from "./view.ts";

/** How the client of a call sees the resources of a type. */
export function viewOf(
  { connection, base, visibility, reader }: Call,
  { type, parameters }: { type: Pick<ResourceType, "view">; parameters: Parameters },
): View {
  return type.view({ parameters, connectionId: connection.id, base, visibility, reader });
}
