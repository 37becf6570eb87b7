/** What the tests use of oidc-provider, which has no types of its own. */
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export type ClientMetadata = Readonly<Record<string, unknown>>;

  export interface Configuration {
    clients: readonly ClientMetadata[];
    features?: Readonly<Record<string, unknown>>;
    findAccount: (context: unknown, id: string) => Promise<{ accountId: string; claims(): Record<string, unknown> } | undefined>;
    fetch: (url: string, options: unknown) => Promise<Response>;
    issueRefreshToken: (context: unknown, client: unknown, code: { scopes: ReadonlySet<string> }) => Promise<boolean>;
    interactions: { url: (context: unknown, interaction: { uid: string }) => string };
    [setting: string]: unknown;
  }

  export interface Interaction {
    prompt: { name: string };
    params: Readonly<Record<string, unknown>>;
    session?: { accountId: string };
    grantId?: string;
  }

  export interface Grant {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
    destroy(): Promise<void>;
  }

  export class Provider {
    constructor(issuer: string, configuration: Configuration);
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: Readonly<Record<string, unknown>>,
      options: { mergeWithLastSubmission: boolean },
    ): Promise<void>;
    on(event: string, listener: (context: unknown, error: Error, ...rest: unknown[]) => void): void;
    readonly Grant: (new (of: { accountId: string; clientId: string }) => Grant) & { find(id: string): Promise<Grant | undefined> };
    readonly Session: { findByUid(uid: string): Promise<unknown> };
  }
}
