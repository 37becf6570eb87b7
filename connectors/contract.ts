import type { Logger } from "pino";
import type { z } from "zod";
import type { UploadedFiles, UploadLimits, UploadWithoutOptions } from "./upload.ts";

export { Fault, type FaultKind } from "./fault.ts";
export type { UploadedFile, UploadedFiles, UploadLimits, UploadWithoutOptions } from "./upload.ts";

/**
 * The connector contract: all that the sync pipeline and provisioning know of a connected system.
 * A connector is a folder; it never imports `src/`. Types here are plain data.
 */

export type Kind = "user" | "group" | "unit";

/** A value as read: strings, numbers, booleans, and lists of strings. Multi-valued attributes are always lists, even with one value. */
export type AttributeValue = string | number | boolean | null | readonly string[] | readonly AttributeObject[] | AttributeObject;
export interface AttributeObject {
  readonly [name: string]: AttributeValue | undefined;
}

export interface SourceRecord {
  kind: Kind;
  /** Immutable in its system (entryUUID, objectGUID, Entra id); never an e-mail. */
  nativeId: string;
  /** How other records of the same system name this one when not by nativeId (an LDAP DN, normalised). */
  reference?: string;
  /** Gone at the source; `attributes` may then be empty. */
  deleted?: true;
  /** Set by readOne: it exists, but outside of what the connection reads (base, filter), so it leaves. */
  outOfScope?: true;
  /** When the source says that it changed. */
  changedAt?: Date;
  attributes: AttributeObject;
  /** Group members by reference (or nativeId where records have no reference). `set` is the whole list. */
  members?: { set: readonly string[] } | { add: readonly string[]; remove: readonly string[] };
  /** A unit's parent, by reference. */
  parent?: string;
}

/** A record that could not be read into shape: it is listed on the run and never stops the others. */
export interface RecordProblem {
  kind: Kind;
  nativeId: string;
  code: string;
  message: string;
}

export interface Page {
  records: SourceRecord[];
  problems?: RecordProblem[];
}

/** Where the next incremental read of one kind starts: opaque, small, JSON. */
export type Cursor = AttributeObject;

/**
 * What proves that a read was complete. A normal return alone proves nothing: `finalCursor` is true only when the
 * system itself said "there is no more" (an LDAP success with an empty cookie, a page without a next link).
 */
export interface Completeness {
  finalCursor: boolean;
  /** Records that the read returned. */
  count: number;
  /** Where the next incremental read may start; absent when the system has no increments. */
  cursor?: Cursor;
}

/** The source's side of a connection, opened for one run. `signal` aborts a read between pages and in calls. */
export interface Source {
  /** In the order in which they are best read: what follows from another kind's read comes after it. */
  kinds: readonly Kind[];
  readAll(kind: Kind): AsyncGenerator<Page, Completeness>;
  /** Throws a Fault `expired` when the cursor is no longer good: the caller reads in full. */
  readChanges?(kind: Kind, since: Cursor): AsyncGenerator<Page, Cursor>;
  /** NativeIds only, for finding what is gone after an incremental read; cheaper than readAll. */
  listIds?(kind: Kind): AsyncGenerator<readonly string[], Completeness>;
  /** The kinds for which that is worth its calls, where not all: of the others, readChanges tells who left. */
  listedKinds?: readonly Kind[];
  /** An independent count of what readAll(kind) should return; asked only when a sweep has candidates. */
  count?(kind: Kind): Promise<number>;
  /** Confirms a sweep's candidate by its id, wherever it stands: 'gone', or the record (with `outOfScope` where a read would not return it). */
  readOne(kind: Kind, nativeId: string): Promise<SourceRecord | "gone">;
  /** NativeIds of the groups that hold somebody, asked when who was gone comes back between two full reads: for sources whose groups don't tell of that. */
  groupsOf?(nativeId: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What we want at a target for one account: SCIM-shaped attributes (RFC 7643) without id and meta. */
export type TargetAttributes = AttributeObject;

export interface TargetAccount {
  nativeId: string;
  /** Undefined where the system does not say. */
  active?: boolean;
  /** Of a group: native ids. Undefined where the system does not say. */
  members?: readonly string[];
  attributes: TargetAttributes;
}

/** The target's side of a connection. Each call is safe to repeat; "already so" is success. */
export interface Target {
  kinds: readonly Kind[];
  /** Every account of a kind, for reconciliation; proven complete like a source's read. */
  list(kind: Kind): AsyncGenerator<readonly TargetAccount[], Completeness>;
  /** By the target's own id. */
  get(kind: Kind, nativeId: string): Promise<TargetAccount | "gone">;
  /**
   * By the attributes that identify it there (userName, externalId, displayName): every match, so that two are a dispute.
   * `thorough` is asked when a create met `exists` and a plain find shows nothing: compare with everything that is there.
   */
  find(kind: Kind, attributes: TargetAttributes, options?: { thorough?: boolean }): Promise<readonly TargetAccount[]>;
  /** Throws `exists` when it is already there. */
  create(kind: Kind, attributes: TargetAttributes): Promise<TargetAccount>;
  update(kind: Kind, nativeId: string, change: { before: TargetAttributes | null; after: TargetAttributes }): Promise<void>;
  disable(nativeId: string): Promise<void>;
  enable(nativeId: string): Promise<void>;
  /** `gone` where there was none: it may have another id. */
  remove(kind: Kind, nativeId: string): Promise<"removed" | "gone">;
  /** Adds and removes group members, by the target's own ids; batches as the target allows. */
  members(groupNativeId: string, change: { add: readonly string[]; remove: readonly string[] }): Promise<void>;
  close(): Promise<void>;
}

/** Write-back: the few things that may be written to a source. Each reads back and verifies what it wrote. */
export interface WriteBack {
  disable(nativeId: string): Promise<void>;
  enable(nativeId: string): Promise<void>;
  removeFromGroup(groupNativeId: string, memberNativeId: string): Promise<void>;
  close(): Promise<void>;
}

/** What the operator lets connections reach, and by which way (`outbound` in the configuration). */
export interface Network {
  /** CIDR blocks of loopback, link-local, private and other reserved addresses that may be connected to all the same. */
  allow: readonly string[];
  /** URL of the HTTP proxy that stands between us and the world; it may hold user and password. */
  proxy?: string;
  /** Hosts that are spoken to without that proxy: names (and all below them), addresses, or `*`. */
  direct?: readonly string[];
}

/** One request as it goes out, the credential's headers left out. */
export interface WireRequest {
  method: string;
  url: string;
  body?: string;
}

export interface WireAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  text: string;
}

/** Stands between the kit's HTTP and the network: a recorder notes what passes, a replay answers without sending. */
export interface Conversation {
  exchange(request: WireRequest, send: () => Promise<WireAnswer>): Promise<WireAnswer>;
}

export interface OpenOptions<S> {
  settings: S;
  log: Logger;
  signal: AbortSignal;
  now: () => Date;
  /** Absent = public addresses only, without a proxy. */
  network?: Network;
  /** Hand it to the kit's HTTP. */
  conversation?: Conversation;
  /** The files that were handed in for this connection. */
  uploads?: UploadedFiles | undefined;
  /**
   * Attributes of people that the mapping takes for granted: a source that can tell that it has no such attribute at all refuses, or what
   * everybody had of it would be taken away. Absent = none.
   */
  granted?: readonly string[] | undefined;
}

/** One finding of `connection check`, in the words of that system's own console. */
export interface CheckResult {
  name: string;
  ok: boolean;
  /** What was seen, and on failure what to do. */
  message: string;
  /** The kind of records that this is about. */
  kind?: Kind;
  /** The permission that is missing, as that system's console names it. */
  permission?: string;
}

/** A call at the door for change notifications, as it was received. */
export interface HookCall {
  method: "GET" | "POST";
  /** Decoded; of a parameter that occurs twice, the last. */
  query: Readonly<Record<string, string | undefined>>;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Parsed JSON; undefined where there is none. */
  body?: unknown;
}

/** A reason to do something now, never data: notifications come late, twice, out of order, or not at all. */
export interface HookHint {
  /** Read what changed of these; none = there is nothing to read. */
  kinds: readonly Kind[];
  /** Ids of the events, where the system tells them, so that a repeated delivery starts nothing. */
  events?: readonly string[];
  /** Look after the subscriptions: one has ended (`look`), or wants to be renewed before its time (`renew`). */
  keep?: "look" | "renew";
}

export interface HookAnswer {
  status: 200 | 202 | 204 | 400;
  /** Sent as text/plain… */
  text?: string;
  /** …or as JSON. */
  body?: Readonly<Record<string, string>>;
  hint?: HookHint;
}

/** A subscription or channel at the system, as it is stored between two looks at it. */
export interface HookSubscription {
  id: string;
  /** What it tells of, in the system's own words. */
  about: string;
  /** Where it leads. */
  address: string;
  /** Absent = it was asked for, and nothing is known of an answer. */
  expiresAt?: Date;
  /** What else is needed to end it. */
  resourceId?: string;
}

export interface KeepHooksOptions<S> extends OpenOptions<S> {
  /** Our public https address. */
  address: string;
  /** False = there are to be no subscriptions any more. */
  wanted: boolean;
  /** Comes back with every notification. */
  secret: string;
  /** What was stored last. */
  held: readonly HookSubscription[];
  /** Renew all of them, whatever time they have left. */
  renew: boolean;
  /** The secret is another than what is held was made with: each is made anew. Where both can stand, before the older one is ended. */
  anew?: boolean;
  /** Stores what is held from now on: called after each step, and before one whose outcome could not be found again. */
  store(held: readonly HookSubscription[]): Promise<void>;
}

/** Change notifications: calls that come to us. */
export interface Hooks<S = unknown> {
  /** The secret setting that calls prove themselves with, chosen by the administrator; absent = we make a secret. */
  secretField?: string;
  /** Judges a call and says what to answer; `refused` where it does not prove itself. Pure. Without a secret all is refused. */
  receive(call: HookCall, options: { secret: string | undefined }): HookAnswer | "refused";
  /**
   * Makes, renews and ends subscriptions; safe to repeat, and after being cut off anywhere the next call cleans up.
   * Absent = an administrator enters our address in the system's console.
   */
  keep?(options: KeepHooksOptions<S>): Promise<void>;
}

export interface Connector<S = unknown> {
  name: string;
  title: string;
  /** The zod schema of its settings; it also draws the console's form. Unknown keys are refused. */
  settings: z.ZodType<S>;
  /** Names of settings that are secrets: stored sealed, never shown. Dotted for nested ones. */
  secretFields: readonly string[];
  /**
   * Names of settings that say where those secrets are sent, and whom there we believe (addresses, CAs, host keys), dotted for nested ones.
   * A caller of the API who changes one gives the secrets again: nobody has a stored one sent to a host of their choice.
   */
  destinations?: readonly string[];
  /** People sign in by it: whoever says what it believes says who is whom. What it tells is of the moment of a sign-in. */
  signsPeopleIn?: true;
  /** Of targets: which application the settings lead to. Its ids mean nothing to another. */
  applicationOf?(settings: S): string | undefined;
  /** Of those: what the provider calls itself, where the settings say. Its accounts mean nothing to another. */
  issuerOf?(settings: S): string | undefined;
  /**
   * Names of settings that are paths of files or folders of this server, dotted for nested ones: every setting that a connector hands to
   * the file system stands here. Callers of the API may set them only within the folders that the operator names.
   */
  localPaths?: readonly string[];
  openSource?(options: OpenOptions<S>): Promise<Source>;
  openTarget?(options: OpenOptions<S>): Promise<Target>;
  openWriteBack?(options: OpenOptions<S>): Promise<WriteBack>;
  check?(options: OpenOptions<S>): Promise<CheckResult[]>;
  hooks?: Hooks<S>;
  /** Where its conversation is recorded: at the kit's HTTP when all of it goes there; otherwise what its Source returns. */
  recordedAt?: "http";
  /** How files are handed in for a connection that reads these; undefined when its settings say that it reads something else. */
  uploads?(settings: S): UploadLimits | undefined;
  /** What was handed in, without what it says of some people: they were deleted for good. Throws Faults when the file can't be read. */
  uploadWithout?(options: UploadWithoutOptions<S>): AsyncGenerator<Buffer>;
  /** Settings whose change means that a read covers something else (base, filters): their hash holds the next sweep. */
  scopeOf?(settings: S): unknown;
}
