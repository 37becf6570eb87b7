import type { Completeness, Page, SourceRecord } from "../contract.ts";
import { setAside, type SetAside } from "../kit/set-aside.ts";
import { customerOf, type GoogleClient } from "./client.ts";
import { firstTimes, type FirstTimes } from "./first-times.ts";
import { textOf } from "./json.ts";
import { listPages, type ListingOptions } from "./listing.ts";
import { addressBook, askBeyond, managerEmailOf, withManager, type Addresses } from "./managers.ts";
import { deletedRecord, isProblem, USER_FIELDS, userRecord } from "./records.ts";

/** Somebody whose manager was not listed yet. */
interface Waiting {
  record: SourceRecord;
  etag: string | undefined;
}

const LOT = 500;

/** Everybody of a listing, with managers by id. Who was listed before the manager waits for the listing's end, so that nobody is listed twice. */
export async function* readUsers(client: GoogleClient, listing: ListingOptions): AsyncGenerator<Page, Completeness> {
  const times = firstTimes("id");
  const addresses = addressBook();
  const waiting = setAside<Waiting>({ lot: LOT });
  try {
    const pages = listPages(client, { ...listing, fields: USER_FIELDS });
    let step = await pages.next();
    for (; !step.done; step = await pages.next()) {
      const page: Required<Page> = { records: [], problems: [] };
      const users = step.value.filter(times.fresh);
      for (const user of users) addresses.note(user);
      for (const user of users) {
        const record = userRecord(user);
        const email = isProblem(record) ? undefined : managerEmailOf(record);
        const manager = email === undefined ? undefined : addresses.idOf(email);
        if (isProblem(record)) page.problems.push(record);
        else if (email !== undefined && manager === undefined) await waiting.add({ record, etag: textOf(user["etag"]) });
        else page.records.push(withManager(record, manager));
      }
      if (page.records.length + page.problems.length > 0) yield page;
    }
    yield* settle(client, { waiting, addresses, times });
    yield* readDeleted(client, times.ids);
    return { finalCursor: step.value, count: times.ids.size };
  } finally {
    await waiting.close();
  }
}

interface SettleOptions {
  waiting: SetAside<Waiting>;
  addresses: Addresses;
  times: FirstTimes;
}

async function* settle(client: GoogleClient, { waiting, addresses, times }: SettleOptions): AsyncGenerator<Page, void> {
  const beyond = askBeyond(client);
  for await (const lot of waiting.lots()) {
    const records: SourceRecord[] = [];
    for (const { record, etag } of lot) {
      // Listed once more since, in another version.
      if ((times.ids.get(record.nativeId) ?? "") !== (etag ?? "")) continue;
      const email = managerEmailOf(record) ?? "";
      records.push(withManager(record, addresses.idOf(email) ?? (await beyond(email))));
    }
    if (records.length > 0) yield { records };
  }
}

/** Who was deleted lately, with the time; a listing of its own. Somebody who was restored is in both for a while, and there. */
async function* readDeleted(client: GoogleClient, there: ReadonlyMap<string, string>): AsyncGenerator<Page, void> {
  const pages = listPages(client, {
    purpose: "readUsers",
    path: "/users",
    query: { ...customerOf(client.settings), showDeleted: "true", maxResults: client.settings.pageSize },
    kind: "admin#directory#users",
    items: "users",
    fields: "id,deletionTime",
  });
  for await (const users of pages) {
    const records = users.flatMap((user) => deletedRecord(user) ?? []).filter(({ nativeId }) => !there.has(nativeId));
    if (records.length > 0) yield { records };
  }
}
