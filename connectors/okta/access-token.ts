import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { z } from "zod";
import { Fault } from "../contract.ts";
import type { HttpClient } from "../kit/http.ts";
import { readPrivateKey, type OktaSettings } from "./config.ts";
import { faultOfAnswer } from "./faults.ts";

/** Okta takes assertions of at most an hour; a short one is worth little to whoever finds it. */
const ASSERTION_SECONDS = 300;
/** A token is renewed this long before it ends, so that it does not end on its way. */
const MARGIN_MS = 60_000;
export const TOKEN_PATH = "/oauth2/v1/token";

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  token_type: z.string(),
  expires_in: z.number().positive(),
  scope: z.string().optional(),
});

/** Access tokens of the org's own authorisation server for a service app. */
export interface AccessTokens {
  /** The token in use, or a new one. Throws `denied` when Okta gives none. */
  current(): Promise<string>;
  /** Okta did not accept this one: the next is a new one. */
  forget(token: string): void;
  /** Scopes that the token in use was given; undefined where Okta does not say. */
  scopes(): Promise<readonly string[] | undefined>;
}

export interface AccessTokenOptions {
  settings: OktaSettings;
  http: HttpClient;
  scopes: readonly string[];
  now: () => Date;
}

/** Client credentials with a signed assertion (RFC 7523 section 2.2, private_key_jwt); one token at a time. */
export function openAccessTokens(options: AccessTokenOptions): AccessTokens {
  let held: Held | undefined;
  let asking: Promise<Held> | undefined;
  const get = async (): Promise<Held> => {
    if (held !== undefined && held.endsAt - MARGIN_MS > options.now().getTime()) return held;
    // Whoever comes second waits for the token that the first has asked for.
    asking ??= request(options).finally(() => {
      asking = undefined;
    });
    held = await asking;
    return held;
  };
  return {
    current: async () => (await get()).token,
    scopes: async () => (await get()).scopes,
    forget: (token) => {
      if (held?.token === token) held = undefined;
    },
  };
}

interface Held {
  token: string;
  endsAt: number;
  scopes: readonly string[] | undefined;
}

async function request({ settings, http, scopes, now }: AccessTokenOptions): Promise<Held> {
  const asked = now();
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    scope: scopes.join(" "),
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: await assertion(settings, asked),
  });
  const answer = await http.request({ method: "POST", path: TOKEN_PATH, body, expect: [400, 401, 403, 429] });
  if (answer.status !== 200)
    throw refused(faultOfAnswer(answer, { what: "the sign-in of the service app", signIn: "service app", now: asked }));
  const parsed = tokenAnswer.safeParse(answer.body);
  if (!parsed.success || parsed.data.token_type.toLowerCase() !== "bearer")
    throw new Fault("misconfigured", "Okta answered the sign-in of the service app with something that is no bearer token. Check the url.");
  const { access_token: token, expires_in: seconds, scope } = parsed.data;
  return { token, endsAt: asked.getTime() + seconds * 1000, scopes: scope?.split(" ").filter((each) => each !== "") };
}

/** A refused sign-in is the credential's matter, whatever status it comes with. */
function refused(fault: Fault): Fault {
  return fault.kind === "rejected" ? new Fault("denied", fault.message) : fault;
}

async function assertion(settings: OktaSettings, now: Date): Promise<string> {
  const read = readPrivateKey(settings.privateKey ?? "");
  if ("problem" in read) throw new Fault("misconfigured", `The setting privateKey ${read.problem}.`);
  const { clientId = "" } = settings;
  const keyId = settings.keyId ?? read.keyId;
  const seconds = Math.floor(now.getTime() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: read.algorithm, ...(keyId === undefined ? {} : { kid: keyId }) })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(new URL(TOKEN_PATH, settings.url).href)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .setJti(randomUUID())
    .sign(read.key);
}
