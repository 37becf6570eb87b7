import { Router, type ErrorRequestHandler, type Request, type Response } from "express";
import type { Logger } from "pino";
import type { RateLimit } from "../../../connectors/scim-inbound/config.ts";
import { authenticateFeed } from "../../auth/feed-senders.ts";
import { loadConnection } from "../../connections/open.ts";
import { receiveUpload } from "../../connections/upload-receive.ts";
import { noteUpload, runAfter } from "../../connections/upload-sync.ts";
import { receivedAtOf, storeUpload, uploadLimitsOf } from "../../connections/uploads.ts";
import { createContext } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { createTokenBuckets } from "../middleware/token-buckets.ts";
import { refuse } from "./errors.ts";
import { feedOf, type Feed } from "./feed.ts";

export interface FeedsDoorOptions {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  now: () => Date;
}

/** Files are large and few: of one token, whatever it sends. */
const LIMIT: RateLimit = { perSecond: 1, burst: 30 };

/** Where systems that write files hand them in: `PUT /feeds/NAME`, with a token of that connection. */
export function createFeedsDoor({ db, keyRing, log, now }: FeedsDoorOptions): Router {
  const router = Router();
  const buckets = createTokenBuckets({ now });

  async function sender(request: Request) {
    const found = await authenticateFeed(db.pool, {
      authorization: request.get("Authorization"),
      connection: String(request.params["connection"]),
      now: now(),
    });
    const wait = buckets.take(found.tokenId, LIMIT);
    if (wait === undefined) return found;
    throw new AppError("rate_limited", "Too many requests come with this token.", { retryAfter: Math.max(1, Math.ceil(wait)) });
  }

  router.put("/:connection", async (request, response) => {
    const { tokenName, connection } = await sender(request);
    const loaded = await loadConnection(db.pool, keyRing, connection.id);
    const { maxBytes, keep } = uploadLimitsOf(loaded);
    const feed: Feed = feedOf(request.headers, { maxBytes });
    // The request must outlive a refusal in its middle, which is to be answered.
    const input = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    const received = await receiveUpload(input, { ...feed, maxBytes });
    const ctx = createContext({ actor: `token:${tokenName}`, log, now, correlationId: requestIdOf(response) });
    const upload = await inTransaction(db, ctx, async (work) => {
      const stored = await storeUpload(work, { connection: loaded, keyRing, received, keep });
      await noteUpload(work, { connection: loaded, upload: stored, sync: true });
      return stored;
    }).finally(() => received.close());
    const place = `${request.baseUrl}/${loaded.name}/uploads/${upload.file}`;
    const { file, bytes, sha256, receivedAt } = upload;
    response.status(202).location(place).json({ connection: loaded.name, file, bytes, sha256, receivedAt, run: place });
  });

  router.get("/:connection/uploads/:file", async (request, response) => {
    const { connection } = await sender(request);
    const file = String(request.params["file"]);
    const receivedAt = receivedAtOf(file);
    if (!receivedAt) throw new AppError("not_found", "There is no upload of this name.", { field: "file" });
    const run = await runAfter(db.pool, { connectionId: connection.id, since: receivedAt });
    response.json({ connection: connection.name, file, receivedAt, run: run ?? null });
  });

  router.use(failed(log));
  return router;
}

/** An answer before the end of the body: the rest of it is not waited for. */
function failed(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response: Response, next) => {
    if (response.headersSent) return next(error);
    if (!request.complete) response.set("Connection", "close");
    refuse(response, { error, log, cutOff: request.destroyed && !request.complete });
  };
}
