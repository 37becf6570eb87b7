import type { Response } from "express";
import { eachRow } from "../../db/each-row.ts";
import type { Database } from "../../db/database.ts";
import type { Call } from "./call.ts";
import { viewOf } from "./call-view.ts";
import type { Found } from "./read.ts";
import type { ResourceType } from "./resource-type.ts";
import { beginJson } from "./respond.ts";
import { parameters } from "./view.ts";

export interface PortionsOptions {
  db: Database;
  type: ResourceType;
  call: Call;
  id: string;
  /** Without the list that is lengthy. */
  found: Found;
}

/**
 * Sends a resource with its lengthy list, which is read and sent in portions: a group of a hundred thousand members never
 * stands in memory. All portions are of one moment, at which the resource had the version that was found; false when it has
 * moved since, and nothing was sent. Who reads slowly holds no connection to the database.
 */
export async function sendInPortions(response: Response, { db, type, call, id, found }: PortionsOptions): Promise<boolean> {
  const given = parameters();
  const view = viewOf(call, { type, parameters: given });
  const { lengthy } = view;
  if (!lengthy) return false;
  const text = `select held.text from ${view.table} ${view.joins} left join lateral (${lengthy.portions()}) held on true
    where ${view.id} = ${given.add(id)}::uuid and ${view.visible} and ${view.version} = ${given.add(found.version)}::text`;
  const sent = { rows: 0, elements: 0 };
  const onRow = (row: { text: string | null }): void => {
    if (sent.rows++ === 0) {
      beginJson(response);
      response.setHeader("ETag", found.version);
      response.write(found.text.slice(0, -1));
    }
    if (row.text === null) return;
    const isFirst = sent.elements++ === 0;
    if (isFirst) response.write(`,"${lengthy.path}":[`);
    response.write(withComma(row.text).subarray(isFirst ? 1 : 0));
  };
  try {
    await eachRow(db.readPool, { text, name: db.statementNames.nameOf(text), values: given.values }, onRow);
  } catch (error) {
    if (!response.headersSent) throw error;
    call.ctx.log.error({ err: error, id }, "an answer was cut off: its list could not be read to the end");
    response.destroy();
    return true;
  }
  if (sent.rows === 0) return false;
  response.end(sent.elements > 0 ? "]}" : "}");
  return true;
}

/** As bytes, in which a text takes half of its memory or less. */
function withComma(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text));
  bytes.write(",");
  bytes.write(text, 1);
  return bytes;
}
