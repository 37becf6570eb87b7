import { Fault } from "../../connectors/contract.ts";
import { evaluateRule } from "../access/condition-rules.ts";
import { followRoles } from "../access/following-roles.ts";
import { carryOutExpiry } from "../access/expiry.ts";
import { tellEndingGrants } from "../access/grant-notices.ts";
import { reconcileGroupRules } from "../access/group-rules.ts";
import { tellStoppedTokens } from "../access/token-notices.ts";
import { tellChanges } from "../auth/addresses/tell-changes.ts";
import type { IncidentWatch } from "../auth/risk/incident-watch.ts";
import { tellLocked } from "../auth/risk/tell-locked.ts";
import { inviteImported } from "../auth/links/invite-imported.ts";
import { sendReset } from "../auth/links/forgot.ts";
import { refreshSamlMetadata } from "../auth/saml/refresh-job.ts";
import { keepHooks } from "../connections/hooks/keep.ts";
import { startRounds } from "../connections/hooks/rounds.ts";
import { enqueueHintedSync } from "../connections/hooks/enqueue.ts";
import { enqueueUploadSync } from "../connections/upload-sync.ts";
import type { Context } from "../context.ts";
import { waitIfBehind } from "../db/agreed-clock.ts";
import { inTransaction, type Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { enqueue } from "../db/queue.ts";
import { completeSearchIndexes } from "../db/search-indexes.ts";
import { takeOverSearchTexts } from "../db/search-texts.ts";
import { markedOnce } from "../directory/outbox.ts";
import { AppError } from "../errors.ts";
import type { Notifier } from "../notify/notifier.ts";
import { sendEvent } from "../notify/send-event.ts";
import { sendNotice } from "../notify/send-notice.ts";
import { deliver } from "../provision/deliver.ts";
import { projectTarget } from "../provision/project.ts";
import { reconcileTarget } from "../provision/reconcile.ts";
import type { Targets } from "../provision/targets.ts";
import { applyPlan } from "../sync/apply-plan.ts";
import { isLostDatabase } from "../sync/fail.ts";
import { pruneRuns } from "../sync/prune.ts";
import type { SignInSettings } from "../sign-in-settings.ts";
import type { RunMode } from "../sync/begin.ts";
import { failRequested, requestedRun, wakeRequested } from "../sync/request-run.ts";
import { runSync } from "../sync/run.ts";
import { startTransfers } from "../sync/start-transfers.ts";
import type { Handlers } from "./queue.ts";
import { refreshFederatedClaims } from "./refresh-claims.ts";
import { lookAfterThings } from "./upkeep.ts";

export interface HandlersOptions {
  db: Database;
  keyRing: KeyRing;
  targets: Targets;
  /** What people and the operator's system are told with; a node without it leaves that to others. */
  notifier?: Notifier | undefined;
  /** Looks for patterns in the attempts to get in; a node without it leaves that to others. */
  incidents?: IncidentWatch | undefined;
  /** What invitations and links to set another password are made by; a node without it leaves them to others. */
  resets?: { settings: SignInSettings; baseUrl: string } | undefined;
  /** Where this deployment is reached from outside. */
  publicUrl?: string | undefined;
}

const BUSY_WAIT_MS = 1_000;

/** One handler per job. Each reads the state it works on when it starts, so that a job may come twice, late, or for nothing. */
export function createHandlers({ db, keyRing, targets, notifier, incidents, resets, publicUrl }: HandlersOptions): Handlers {
  return {
    async sync(ctx, { connectionId, mode, trigger, runId }) {
      const again = isLostDatabase;
      if (runId !== undefined) return toldElsewhere(ctx, () => runRequested(ctx, { db, keyRing, connectionId, mode, runId }), { again });
      const run = async () => {
        try {
          await runSync(ctx, { db, keyRing, connection: connectionId, mode, trigger });
        } catch (error) {
          if (!isBusy(error)) throw error;
          // The run that is under way may have read past what this is about.
          if (trigger === "hook") await enqueueHintedSync(db.pool, { connectionId, runAt: later(ctx) });
          else if (trigger === "upload") await enqueueUploadSync(db.pool, { connectionId, runAt: later(ctx) });
          else if (mode === "remap")
            await enqueue(db.pool, {
              job: "sync",
              payload: { connectionId, mode, trigger },
              key: `sync:${connectionId}:remap`,
              runAt: later(ctx),
            });
          else throw error;
        }
      };
      await toldElsewhere(ctx, run, { again });
    },
    async keep_hooks(ctx, { connectionId }) {
      if (connectionId === undefined) await inTransaction(db, ctx, startRounds);
      else await keepHooks(ctx, { db, keyRing, connectionId, publicUrl });
    },
    async apply_plan(ctx, { planId }) {
      try {
        await applyPlan(ctx, { db, keyRing, planId });
      } catch (error) {
        if (!isBusy(error)) return toldElsewhere(ctx, () => Promise.reject(error), { again: isLostDatabase });
        // A run of that connection is under way: an approved plan waits for it, and for nothing else.
        await enqueue(db.pool, { job: "apply_plan", payload: { planId }, key: `apply_plan:${planId}`, runAt: later(ctx) });
      }
    },
    async project(ctx, { connectionId }) {
      const connection = await targets.load(db.pool, connectionId);
      if (!connection.row.enabled) return;
      if ((await projectTarget(ctx, { db, connection })) === "busy") {
        await enqueue(db.pool, {
          job: "project",
          payload: { connectionId },
          key: `project:${connectionId}:busy`,
          queue: `project:${connectionId}`,
          runAt: later(ctx),
        });
      }
    },
    async deliver(ctx, { projectionId }) {
      await deliver(ctx, { db, targets, projectionId });
    },
    async reconcile(ctx, { connectionId }) {
      const connection = await targets.load(db.pool, connectionId);
      if (!connection.row.enabled || connection.state === "flagged" || !connection.policy.provision) return;
      await reconcileTarget(ctx, { db, targets, connection });
    },
    async expire(ctx) {
      await waitIfBehind(db.pool, ctx);
      await inTransaction(db, ctx, async (work) => {
        await startTransfers(work);
        await markedOnce(work, carryOutExpiry);
      });
    },
    async prune_runs(ctx) {
      const deleted = await pruneRuns(ctx, db);
      if (deleted > 0) ctx.log.info({ deleted }, "details of plans that ended long ago were deleted");
    },
    async tell_stopped_tokens(ctx, { personId }) {
      await inTransaction(db, ctx, (work) => tellStoppedTokens(work, { keyRing, personId }));
    },
    async look_after_things(ctx) {
      while ((await inTransaction(db, ctx, (work) => tellEndingGrants(work, { keyRing }))) > 0) ctx.signal.throwIfAborted();
      await lookAfterThings(ctx, db);
      await incidents?.forget(ctx);
    },
    async tell_locked(ctx, locked) {
      await inTransaction(db, ctx, (work) => tellLocked(work, { keyRing, ...locked }));
    },
    ...(notifier && {
      async send_notice(ctx, { id }) {
        await sendNotice(ctx, { db, keyRing, notifier, id });
      },
      async send_webhook(ctx, event) {
        const { webhook } = notifier;
        if (webhook) await sendEvent(ctx, { sql: db.pool, webhook, event });
      },
    }),
    ...(resets && {
      async tell_address_changes(ctx) {
        const { settings, baseUrl } = resets;
        while ((await inTransaction(db, ctx, (work) => tellChanges(work, { keyRing, settings: settings.addresses, baseUrl }))) > 0)
          ctx.signal.throwIfAborted();
      },
      async send_reset(ctx, { name }) {
        await inTransaction(db, ctx, (work) => sendReset(work, { ...resets, keyRing, name }));
      },
      async invite_imported(ctx, { importId }) {
        await inviteImported(ctx, { ...resets, db, keyRing, importId });
      },
    }),
    async refresh_saml_metadata(ctx, { connectionId }) {
      await toldElsewhere(ctx, () => refreshSamlMetadata(ctx, { db, keyRing, connectionId }));
    },
    async refresh_claims(ctx) {
      await refreshFederatedClaims(ctx, { db, keyRing });
    },
    async complete_search_indexes(ctx) {
      await takeOverSearchTexts(ctx, db);
      await completeSearchIndexes(db.pool);
    },
    async detect_incidents(ctx, { personId }) {
      await incidents?.detect(ctx, personId);
    },
    async follow_roles(ctx, holders) {
      await inTransaction(db, ctx, (work) => followRoles(work, holders));
    },
    async evaluate_rule(ctx, { ruleId }) {
      await inTransaction(db, ctx, (transaction) =>
        markedOnce(transaction, async (work) => {
          await reconcileGroupRules(work, { ruleIds: [ruleId] });
          await evaluateRule(work, { ruleId });
        }),
      );
    },
  };
}

const never = (_error: unknown): boolean => false;

/**
 * A run that failed has recorded itself, flagged its connection or counted towards quarantine: the schedule tries again, not
 * the queue. What did not come so far (the database is away, this node stops) is thrown, and tried again; so is what `again` says.
 */
async function toldElsewhere(ctx: Context, work: () => Promise<unknown>, { again = never } = {}): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (ctx.signal.aborted || !(error instanceof AppError || error instanceof Fault) || again(error)) throw error;
    ctx.log[isBusy(error) ? "info" : "warn"]({ err: error }, error.message);
  }
}

/** It waits, or was under way on a node that died. */
const MAY_BEGIN: ReadonlySet<string> = new Set(["queued", "pulling", "planned", "applying", "crashed"]);

/** So may one that lost the database: another is made in its place. */
function mayBegin({ state, code }: { state: string; code: string | null }): boolean {
  return MAY_BEGIN.has(state) || (state === "failed" && code === "unavailable");
}

/** A run that was asked for waits for one that is under way, and says so itself when it can't begin. */
async function runRequested(
  ctx: Context,
  {
    db,
    keyRing,
    connectionId,
    mode,
    runId,
  }: Pick<HandlersOptions, "db" | "keyRing"> & { connectionId: number; mode: RunMode; runId: number },
): Promise<void> {
  const asked = await requestedRun(db.pool, runId);
  if (!asked || !mayBegin(asked)) return;
  try {
    await runSync(ctx, { db, keyRing, connection: connectionId, mode, trigger: "api", planOnly: asked.planOnly, requested: runId });
  } catch (error) {
    if (isBusy(error)) return wakeRequested(db.pool, { connectionId, mode, runId, runAt: later(ctx) });
    if (error instanceof AppError || error instanceof Fault) await inTransaction(db, ctx, (work) => failRequested(work, { runId, error }));
    throw error;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof AppError && error.code === "busy";
}

function later(ctx: Context): Date {
  return new Date(ctx.now().getTime() + BUSY_WAIT_MS);
}
