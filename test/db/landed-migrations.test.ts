import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { projectFolder } from "../../src/db/folder.ts";
import { testDatabase } from "../helpers/database.ts";

const folder = path.join(projectFolder(), "prisma/migrations");
const textOf = (name: string) => readFileSync(path.join(folder, name, "migration.sql"), "utf8");

/** A migration that was edited later never reaches the databases that have run it: a change is a new folder, and a new line here. */
const LANDED = {
  "20261121000000_init": "d19fdca9c5d0aee1",
  "20261121000100_plan_outcomes": "1d5dc3a120845cd6",
  "20261121100000_rule_matches": "d6f8803bdf9823a0",
  "20261121110000_access_indexes": "cf4ed077f535ffb6",
  "20261121120000_scim_lookups": "69d6e2622b61d668",
  "20261122000000_scim_reads": "8fe200e580ad4234",
  "20261122020000_scim_catalogue": "aa304e4ac39cf4f9",
  "20261122030000_scim_clients": "e9986ba5810af0b2",
  "20261122040000_plan_documents": "a0f71462a23e5ef9",
  "20261122050000_employment": "80b386d7d56f45d3",
  "20261122060000_plan_indexes": "f8bbb699617869d8",
  "20261122100000_api": "61970e6963ae3334",
  "20261122110000_people_search": "c7b8c5fc353dc845",
  "20261122070000_hooks": "a052bc792d18b88b",
  "20261122080000_person_expiry": "3f4bff0772cf4603",
  "20261122120000_access_changes": "60a71f0db334cbb1",
  "20261122120100_own_time_changes": "733d9364260c5994",
  "20261122120200_access_change_notices": "db438da50aacf00c",
  "20261122140000_personal_data": "8f88eb9d6f2374ee",
  "20261122130000_previews": "4247601e3d86d370",
  "20261122150000_organisation": "954726fde19d2bce",
  "20261122160000_run_requests": "57084a123e596606",
  "20261122170000_audit_api": "a96eeda74c42d8e8",
  "20261122180000_token_use": "0b7b05806ed3c4f9",
  "20261122090000_origins": "b2269fa72b8066e1",
  "20261122110000_transfers": "5d02ff62c605a461",
  "20261123050000_notices": "438f24e92e6c8711",
  "20261123000000_sign_in": "b13895388c8553ed",
  "20261123020000_factors": "671f07da1eba7610",
  "20261123060000_sign_in_attempts": "a5d6d7e9bc59f94c",
  "20261123010000_passwords": "0a5b8c466e4b9678",
  "20261123060100_incidents": "60682bd92c49a2d5",
  "20261123030000_saml": "e7e6f3c85b995a9a",
  "20261123040000_openid_connect": "21147739d23c88a4",
  "20261123030100_saml_step_up": "e065b5be8520c5aa",
  "20261123100000_sign_in_issuers": "f4a4857c6c5513e5",
  "20261123100100_login_links_of_one_person": "80a72bac4b571be9",
  "20261123090000_hook_secret": "927005f9733a1566",
  "20261123130000_tokens_answered_for": "899a6675a0f6c323",
  "20261123110000_session_end_there": "377bd1b1bca89d8c",
  "20261123120000_address_changes": "c7629f5ef5ae4336",
  "20261123170000_search_tables": "d9d699cd35d2aa18",
  "20261123120100_undeliverable_addresses": "6f58a5c2e144dfaa",
  "20261123170100_plan_hashing": "efa4596235a0c950",
  "20261123140000_people_in_reach": "829e1f493c96dfcd",
  "20261124100000_uploads": "7c661eabc469a6bc",
  "20261124120000_addresses_of_federated_people": "3af95c7937522c17",
  "20261124130000_search_changes_of_texts": "3a3b71f95285e7ef",
  "20261125110100_mapping_of_a_plan": "ef235001c99bd163",
  "20261125120000_search_names": "df6bd642512acd88",
  "20261125140000_browsers_that_asked": "b8b0ff1376a103fb",
  "20261125140100_invited_addresses": "6fec73066cdde47b",
  "20261125140200_known_browsers": "a05d56fcc0f8fd80",
  "20261126100000_memberships_once": "b50f2b007121db0f",
  "20261126100100_access_notes_once": "8f305e18472ea9ad",
  "20261126110000_token_changes": "acc11a4ff9253a00",
  "20261126130000_failed_tries_go": "5091c48aa68cd785",
  "20261126150000_account_search_where_it_differs": "d2416bc4d5ceaed9",
  "20261126160000_memberships_open_together": "9a90933aa604066c",
  "20261127001733_overlaps_by_person": "575b65189a4c4ea0",
  "20261128120000_accounts_updated_in_place": "3990243ea47a60f7",
  "20261129060000_former_person": "00a0772bce4e7cca",
  "20261129071500_periods_once": "96dec5174998fe08",
  "20261129074500_memberships_lighter": "dd843910d4827341",
  "20261130092300_one_index_of_words": "41ff3e6774eb4e86",
  "20261130101500_unvouched_keys": "f14d5e4280173521",
  "20261201080000_plan_foreseen": "f742516487b5a750",
  "20261203090000_memberships_open_apart": "f00ed4030c4982ab",
  "20261204090000_enqueue_job": "1709bf10ee17c629",
};

test("no migration is edited once it has landed, and none stands outside this list", () => {
  const found = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const sums = found.map(({ name }) => [name, createHash("sha256").update(textOf(name)).digest("hex").slice(0, 16)]);
  expect(Object.fromEntries(sums)).toEqual(LANDED);
});

test("a database from before plans had a unique index gets one, whatever its plans hold twice", async () => {
  const db = await testDatabase();
  try {
    await db.pool.query("drop index plan_items_native; create index plan_items_native on plan_items (plan_id, kind, native_id)");
    const item = (seq: number) =>
      db.pool.query(
        "insert into plan_items (plan_id, seq, kind, native_id, action, reason, payload, seen_at) values (1, $1, 'user', 'ada', 'create', '', '{}', now())",
        [seq],
      );
    await item(1);
    await item(2);
    await db.pool.query(textOf("20261122060000_plan_indexes"));
    expect((await db.pool.query<{ seq: number }>("select seq from plan_items")).rows).toEqual([{ seq: 2 }]);
    await expect(item(3)).rejects.toMatchObject({ code: "23505" });
  } finally {
    await db.drop();
  }
});
