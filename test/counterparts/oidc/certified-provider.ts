import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider, type ClientMetadata, type Configuration } from "oidc-provider";

export interface CertifiedProviderOptions {
  /** What our door is called in the browser. */
  rollcall: string;
  /** Where the provider's own calls reach it. */
  calledAt: string;
  /** The connection's name there. */
  connection?: string;
  /** Over the client's metadata. */
  client?: Partial<ClientMetadata>;
  /** Over the provider's features. */
  features?: Configuration["features"];
}

/** Somebody at the provider; change it, and the provider says so from then on. */
export type Somebody = Record<string, unknown> & { email_verified?: boolean };

/** oidc-provider, a certified OpenID provider, whose forms are a name alone. */
export interface CertifiedProvider {
  issuer: string;
  people: Map<string, Somebody>;
  provider: Provider;
  /** How its back-channel calls went. */
  calls: string[];
  /** Done once it was asked for tokens, before it looks. */
  beforeTokens?: (() => Promise<void>) | undefined;
  /** Signs somebody in there, as a browser of their own would; the query with which it comes back to us. */
  signIn(url: string, options: { name: string; cookies?: Map<string, string> }): Promise<URLSearchParams>;
  close(): Promise<void>;
}

export const CLIENT = { clientId: "rollcall", clientSecret: "a-secret-of-32-characters-or-more" };

export async function startCertifiedProvider({
  rollcall,
  calledAt,
  connection = "sso",
  client = {},
  features = {},
}: CertifiedProviderOptions): Promise<CertifiedProvider> {
  const people = new Map<string, Somebody>();
  const calls: string[] = [];
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const server = createServer((request, response) => handle(request, response));
  // Node closes an idle connection after five seconds, on a busy machine while the client is about to use it.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // It says on the console that it is not for production, which is so.
  const console = { warn: globalThis.console.warn, info: globalThis.console.info };
  Object.assign(globalThis.console, { warn: () => undefined, info: () => undefined });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [`${rollcall}/oidc/${connection}/callback`],
        post_logout_redirect_uris: [`${rollcall}/oidc/${connection}/logout`],
        backchannel_logout_uri: `${calledAt}/oidc/${connection}/backchannel`,
        backchannel_logout_session_required: true,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        ...client,
      },
    ],
    pkce: { required: () => true },
    scopes: ["openid", "offline_access", "email", "profile"],
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "given_name", "family_name", "preferred_username", "title", "oid", "tid", "hd"],
    },
    async findAccount(_ctx, id) {
      const somebody = people.get(id);
      return somebody && { accountId: id, claims: () => ({ sub: id, ...somebody }) };
    },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
      backchannelLogout: { enabled: true },
      userinfo: { enabled: true },
      ...features,
    },
    // Its own default asks through an agent that Node's fetch does not take.
    fetch: (url, options) => {
      const { dispatcher: _agent, ...rest } = options as RequestInit & { dispatcher?: unknown };
      return globalThis.fetch(url, rest);
    },
    conformIdTokenClaims: false,
    issueRefreshToken: async (_ctx, _client, code) => code.scopes.has("offline_access"),
    rotateRefreshToken: true,
    cookies: { keys: ["only for tests"] },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    ttl: { AccessToken: 600, IdToken: 600, Session: 3600, Interaction: 600, Grant: 86_400, RefreshToken: 86_400 },
  });
  Object.assign(globalThis.console, console);
  provider.on("backchannel.success", () => calls.push("ok"));
  provider.on("backchannel.error", (_ctx, error) => calls.push(error.message));
  const callback = provider.callback();
  handle = (request, response) => {
    if (made.beforeTokens && request.url === "/token") {
      const { beforeTokens } = made;
      made.beforeTokens = undefined;
      const afterwards = async () => {
        await beforeTokens();
        await callback(request, response);
      };
      return void afterwards();
    }
    const interaction = /^\/interaction\/[^/?]+$/.test(request.url ?? "");
    if (!interaction) return void callback(request, response);
    interact(provider, request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  };
  const made: CertifiedProvider = {
    issuer,
    people,
    provider,
    calls,
    signIn: (url, { name, cookies = new Map() }) => throughForms(url, { name, cookies, until: rollcall }),
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return made;
}

/** Who asks signs in by a header, and everything is consented to. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const details = await provider.interactionDetails(request, response);
  if (details.prompt.name === "login")
    return await provider.interactionFinished(
      request,
      response,
      { login: { accountId: String(request.headers["x-name"]), amr: ["pwd"] } },
      { mergeWithLastSubmission: false },
    );
  const accountId = details.session?.accountId ?? "";
  const held = details.grantId === undefined ? undefined : await provider.Grant.find(details.grantId);
  const grant = held ?? new provider.Grant({ accountId, clientId: String(details.params["client_id"]) });
  grant.addOIDCScope("openid offline_access email profile");
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

interface FormsOptions {
  name: string;
  cookies: Map<string, string>;
  /** The origin at which the browser is back. */
  until: string;
}

async function throughForms(url: string, { name, cookies, until }: FormsOptions): Promise<URLSearchParams> {
  let next = url;
  for (let hops = 0; hops < 12; hops += 1) {
    const cookie = [...cookies].map(([key, value]) => `${key}=${value}`).join("; ");
    const answer = await fetch(next, { redirect: "manual", headers: { cookie, "x-name": name } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const at = pair.indexOf("=");
      if (pair.slice(at + 1) === "") cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = answer.headers.get("location");
    if (location === null) throw new Error(`the provider leads nowhere: ${answer.status} ${(await answer.text()).slice(0, 500)}`);
    next = new URL(location, next).href;
    if (next.startsWith(until)) return new URL(next).searchParams;
  }
  throw new Error("the provider never leads back");
}
