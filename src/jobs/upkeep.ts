import { forgetPreviews } from "../access/preview-store.ts";
import { lapseRequests } from "../access/requests.ts";
import { removeExpiredEvents } from "../audit/retention.ts";
import { forgetAddressChanges } from "../auth/addresses/tell-changes.ts";
import { forgetLinks } from "../auth/links/links.ts";
import { forgetLogoutTokens } from "../auth/oidc/logout-token.ts";
import { tellEndingTokens } from "../auth/ending-tokens.ts";
import { forgetChallenges } from "../auth/factors/challenges.ts";
import { forgetReplacedKeys } from "../auth/saml/own-keys.ts";
import { refreshProviders } from "../auth/saml/providers.ts";
import { forgetRequests } from "../auth/saml/requests.ts";
import { forgetUsedMessages } from "../auth/saml/used-messages.ts";
import { forgetSessions } from "../auth/sessions/list.ts";
import { forgetDevices } from "../auth/sign-in/devices.ts";
import { forgetSignIns } from "../auth/sign-in/store.ts";
import type { Context } from "../context.ts";
import { inTransaction, type Database, type Work } from "../db/database.ts";
import { forgetAnswers } from "../db/kept-answers.ts";
import { finishErasures } from "../directory/erasure.ts";
import { forgetNotices } from "../directory/notice-retention.ts";
import { forgetTries } from "../provision/forget-tries.ts";
import { forgetGuardCounts } from "../sync/guard-counts.ts";
import { forgetImports } from "../sync/import-store.ts";

/** What is looked after once a day, each in a transaction of its own: a line each. */
const TASKS: Readonly<Record<string, (work: Work) => Promise<number>>> = {
  "answers to creates were forgotten": forgetAnswers,
  "requests that nobody decided have lapsed": lapseRequests,
  "deleted people were let go of, at targets too": finishErasures,
  "imports of people were forgotten": forgetImports,
  "previews of changes were forgotten": forgetPreviews,
  "notices that are long over were forgotten": forgetNotices,
  "tokens that end soon were told of": tellEndingTokens,
  "logout tokens that could not be used any more were forgotten": forgetLogoutTokens,
  "links of one use were forgotten": forgetLinks,
  "changes of addresses that are long past were forgotten": forgetAddressChanges,
  "proofs that nobody waits for were forgotten": forgetChallenges,
  "sessions that ended long ago were forgotten": forgetSessions,
  "requests to identity providers that nobody answered were forgotten": forgetRequests,
  "messages of identity providers that could not come again were forgotten": forgetUsedMessages,
  "keys that were replaced long ago were forgotten": forgetReplacedKeys,
  "metadata of identity providers are read again": refreshProviders,
  "sign-ins that are over were forgotten": forgetSignIns,
  "browsers that nobody came from any more were forgotten": forgetDevices,
};

/** What there may be much of: a portion in each transaction, until nothing is left. */
const IN_PORTIONS: Readonly<Record<string, (work: Work) => Promise<number>>> = {
  "audit events whose time is over were removed": removeExpiredEvents,
  "tries of deliveries that failed long ago were forgotten": forgetTries,
  "counts that no guard asks for any more were forgotten": forgetGuardCounts,
};

/** Does all of it; what fails doesn't stop the others, and is thrown in the end, so that the job is tried again. */
export async function lookAfterThings(ctx: Context, db: Database): Promise<void> {
  const failures: unknown[] = [];
  for (const [done, task] of Object.entries(TASKS)) {
    ctx.signal.throwIfAborted();
    try {
      const count = await inTransaction(db, ctx, task);
      if (count > 0) ctx.log.info({ count }, done);
    } catch (error) {
      failures.push(error);
    }
  }
  for (const [done, portion] of Object.entries(IN_PORTIONS)) {
    try {
      let count = 0;
      for (let some = 1; some > 0; count += some) {
        ctx.signal.throwIfAborted();
        some = await inTransaction(db, ctx, portion);
      }
      if (count > 0) ctx.log.info({ count }, done);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, "some of the daily upkeep failed");
}
