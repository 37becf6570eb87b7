import type { AttributeObject } from "../../connectors/contract.ts";
import { signInPolicySchema, type SignInPolicy } from "../connections/definition.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { decidingFor } from "./begin.ts";
import { matchValues } from "./match.ts";
import { syncAccount, type AccountOutcome, type OneAccount } from "./one-account.ts";
import { mapUser } from "./stage.ts";
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
  const policy = policyOf(connection);
  return syncAccount(work, {
    connection,
    keyRing,
    nativeId: subject.nativeId,
    attributes: vouchedAttributes({ connection, subject }),
    create: policy.create && !knownOnly,
    link: policy.link && !knownOnly,
    ...(holdsAddress ? { holdsAddress } : {}),
  });
}

/** The e-mail addresses, in lower case, that the connection's mapping makes of what the provider vouches for. */
export async function federatedAddresses(
  { sql }: Work,
  { connection, subject }: Pick<FederatedAccount, "connection" | "subject">,
): Promise<string[]> {
  const { nativeId } = subject;
  const record = { kind: "user" as const, nativeId, reference: nativeId, attributes: vouchedAttributes({ connection, subject }) };
  const { contribution } = mapUser(await decidingFor(sql, connection), record);
  return matchValues(contribution, "emails").map((address) => address.toLowerCase());
}

function vouchedAttributes({ connection, subject }: Pick<FederatedAccount, "connection" | "subject">): AttributeObject {
  return withoutUnvouched(subject.attributes, { vouched: subject.emailVerified, domains: policyOf(connection).verifiedDomains });
}

function policyOf({ policy }: LoadedConnection): SignInPolicy {
  return signInPolicySchema.parse(policy.signIn ?? {});
}
