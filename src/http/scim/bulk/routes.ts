import type { Router } from "express";
import { callOf, type ScimDoorOptions } from "../call.ts";
import { checkedBody } from "../json.ts";
import { methodsOf, sendJson } from "../respond.ts";
import { standingCall } from "../standing-call.ts";
import { readBulkRequest } from "./request.ts";
import { runBulk } from "./run.ts";

const BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/** RFC 7644 section 3.7. */
export function bulkRoutes(router: Router, { door }: { door: ScimDoorOptions }): void {
  methodsOf(router, "/Bulk", {
    async post(request, response) {
      const asked = readBulkRequest(checkedBody(request.body));
      sendJson(response, {
        schemas: [BULK_RESPONSE],
        Operations: await runBulk(door, { call: callOf(response), standing: standingCall(response), request: asked }),
      });
    },
  });
}
