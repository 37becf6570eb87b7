import { connectors } from "../../connectors/registry.ts";

/** Whether people sign in by connections of this connector. */
export function signsPeopleIn(connector: string): boolean {
  return Object.hasOwn(connectors, connector) && connectors[connector]?.signsPeopleIn === true;
}

/** Their names, for SQL. */
export const SIGN_IN_CONNECTORS: readonly string[] = Object.keys(connectors).filter(signsPeopleIn);
