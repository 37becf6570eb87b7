import { hookOverview } from "../../../connections/hooks/overview.ts";
import { renewHookSecret } from "../../../connections/hooks/renew.ts";
import { hookSchema } from "../machinery/hook-schema.ts";
import { nameParams } from "../machinery/fields.ts";
import { route, type ApiCall, type Route } from "../route.ts";

const tag = "Connections";

export const connectionHookRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/connections/{name}/hooks",
    summary: "Its change notifications: where they come to, what is subscribed to, and the last one",
    description:
      "A notification is a hint only: it makes a run begin sooner, and nothing is lost when it doesn't come. The secret by which senders prove themselves is not shown.",
    tag,
    access: { permission: "rollcall.connections.view", on: "organisation" },
    params: nameParams,
    answer: hookSchema,
    handler: (call, { params }) => overviewFor(call, params.name),
  }),
  route({
    method: "post",
    path: "/connections/{name}/hooks/renew",
    sensitive: true,
    summary: "Have its change notifications bear another secret",
    description:
      "A job makes each subscription anew, soon. Until all are, the last secret proves a call, too. Where an administrator chooses the secret, it is changed in the connection's settings instead.",
    tag,
    access: { permission: "rollcall.connections.edit", on: "organisation" },
    params: nameParams,
    status: 202,
    answer: hookSchema,
    async handler(call, { params: { name } }) {
      await renewHookSecret(call, { name, keyRing: call.options.keyRing });
      return overviewFor(call, name);
    },
  }),
];

async function overviewFor({ sql, options: { publicUrl } }: ApiCall, name: string) {
  return hookOverview(sql, { name, publicUrl });
}
