import type { NoticeChannel, NoticeName } from "../directory/notices.ts";

/** One message to one person, ready to be sent. */
export interface Message {
  /** Of the notice, the same for each try: by it, what comes twice is known to be one. */
  id: string;
  channel: NoticeChannel;
  /** `test`: an operator looks whether messages come. */
  notice: NoticeName | "test";
  /** An e-mail address, or a telephone number (E.164). */
  to: string;
  language: string;
  subject: string;
  text: string;
  html: string;
  /** The whole of it where only short texts are sent. */
  short: string;
  /** Where this kind is turned off by one click, without a sign-in; absent for what can't be. */
  unsubscribeUrl?: string | undefined;
}

/**
 * Who takes messages to people. `send` resolves when the provider has taken it, and throws a Fault: `gone` when there is nobody at the
 * address, `rejected` when it will never take this one for another reason, all others when it may do so later. No fault carries a secret.
 */
export interface Provider {
  send(message: Message, options: { signal: AbortSignal; now: Date }): Promise<void>;
  close(): Promise<void>;
}
