import { addConnection } from "../../../../src/connections/store.ts";
import { inTransaction } from "../../../../src/db/database.ts";
import { testContext } from "../../../helpers/database.ts";
import { keyRing, type Door } from "../door.ts";

export const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
export const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
export const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
export const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/** A SCIM client with a connection and a token of its own. */
export interface Client {
  name: string;
  connectionId: number;
  token: string;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): ReturnType<Door["request"]>;
  /** Makes a person and says its id. */
  person(userName: string, more?: object): Promise<string>;
  group(displayName: string, members?: readonly string[]): Promise<string>;
}

export async function clientOf(door: Door, { name, settings = {} }: { name: string; settings?: object }): Promise<Client> {
  const { id: connectionId } = await inTransaction(door.db, testContext(), (work) =>
    addConnection(work, { definition: { name, connector: "scim-inbound", settings }, keyRing }),
  );
  const { token } = await door.newToken({ name, connectionId });
  const send: Client["send"] = (method, path, body, headers) =>
    door.request(method, `/scim/${name}/v2${path}`, { token, ...(body === undefined ? {} : { body }), ...(headers ? { headers } : {}) });
  const made = async (path: string, body: object) => {
    const answer = await send("POST", path, body);
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    return String(answer.body.id);
  };
  return {
    name,
    connectionId,
    token,
    send,
    person: (userName, more = {}) => made("/Users", { schemas: [USER], userName, ...more }),
    group: (displayName, members = []) => made("/Groups", { schemas: [GROUP], displayName, members: members.map((value) => ({ value })) }),
  };
}
