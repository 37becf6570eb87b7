import type { AttributeObject } from "../../connectors/contract.ts";
import { signInPolicySchema } from "../connections/definition.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { syncAccount, type AccountOutcome, type OneAccount } from "./one-account.ts";
import { withoutUnvouched, type Vouched } from "./vouched-addresses.ts";

/** Somebody, as an identity provider describes them. */
export interface FederatedSubject {
  /** What the provider calls them for ever: never an address, never given to anybody else. */
  nativeId: string;
  attributes: AttributeObject;
  /** Whether the provider vouches for e-mail addresses: for all that stand in the attributes, for none, or for these alone (lower case). */
  emailVerified: Vouched;
}

export interface FederatedAccount {
  connection: LoadedConnection;
  keyRing: KeyRing;
  subject: FederatedSubject;
  /** Only somebody whose account is tied to a person already: for what comes without a sign-in. */
  knownOnly?: boolean;
  /** As `syncAccount` asks it. */
  holdsAddress?: OneAccount["holdsAddress"];
}

/**
 * Takes what an identity provider says of somebody through the stages of a sync, as the connection's `policy.signIn` allows. Addresses
 * for which nobody vouches are left out first. Throws `held` when a guard trips: then the caller rolls back, and nothing was changed.
 */
export function syncFederated(
  work: Work,
  { connection, keyRing, subject, knownOnly = false, holdsAddress }: FederatedAccount,
): Promise<AccountOutcome> {
  const policy = signInPolicySchema.parse(connection.policy.signIn ?? {});
  return syncAccount(work, {
    connection,
    keyRing,
    nativeId: subject.nativeId,
    attributes: withoutUnvouched(subject.attributes, { vouched: subject.emailVerified, domains: policy.verifiedDomains }),
    create: policy.create && !knownOnly,
    link: policy.link && !knownOnly,
    ...(holdsAddress ? { holdsAddress } : {}),
  });
}
