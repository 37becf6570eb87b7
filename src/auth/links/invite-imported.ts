import type { Context } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { inviteWhenSaved } from "./hand-out.ts";

export interface ImportInvitations {
  db: Database;
  keyRing: KeyRing;
  settings: SignInSettings;
  baseUrl: string;
  importId: string;
}

const NOT_INVITED_YET = `select r.person_id as id from people_import_rows r join people p on p.id = r.person_id
  where r.import_id = $1 and r.action = 'create' and p.state = 'invited' and not exists (select from login_links l where l.person_id = p.id)
  order by r.line`;

/** Invites those whom an import has made, each in a transaction of its own, so that a job that begins again goes on. Returns how many. */
export async function inviteImported(ctx: Context, { db, importId, ...options }: ImportInvitations): Promise<number> {
  const { rows } = await db.pool.query<{ id: string }>(NOT_INVITED_YET, [importId]);
  let invited = 0;
  for (const { id: personId } of rows) {
    ctx.signal.throwIfAborted();
    if (await inTransaction(db, ctx, (work) => inviteWhenSaved(work, { ...options, personId }))) invited += 1;
  }
  return invited;
}
