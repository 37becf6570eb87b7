import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";
import { Fault } from "../../connectors/contract.ts";
import { AppError, messageOf } from "../errors.ts";
import type { SignInSettings } from "../sign-in-settings.ts";
import type { Message, Provider } from "./provider.ts";
import { faultOfSmtp } from "./smtp-faults.ts";

type EmailSettings = SignInSettings["notify"]["email"];

/** An e-mail address that can stand in an envelope: one mailbox, no blank, nothing that could end a line. */
const ADDRESS = /^[^\s\p{Cc}<>,;:"@]{1,64}@[^\s\p{Cc}<>,;:"@]{1,253}$/u;

/** What a DKIM signature covers (RFC 6376 section 5.4.1): one click counts only where both of its fields are signed (RFC 8058 section 4). */
const SIGNED_FIELDS = [
  "From",
  "Reply-To",
  "To",
  "Subject",
  "Date",
  "Message-ID",
  "MIME-Version",
  "Content-Type",
  "Content-Transfer-Encoding",
  "Auto-Submitted",
  "Content-Language",
  "List-Unsubscribe",
  "List-Unsubscribe-Post",
];

/** Sends e-mail through the operator's server, over a few connections that are kept. Throws `misconfigured` for a file that can't be read. */
export function openSmtp({ smtp, from, replyTo, dkim }: EmailSettings): Provider {
  const { host, port, security, user, password, caFile, timeoutSeconds, connections } = smtp;
  const timeout = timeoutSeconds * 1000;
  const transport = nodemailer.createTransport({
    pool: true,
    host,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    ...(user !== undefined && password !== undefined ? { auth: { user, pass: password } } : {}),
    tls: { rejectUnauthorized: true, minVersion: "TLSv1.2", ...(caFile === undefined ? {} : { ca: read(caFile, "caFile") }) },
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    maxConnections: connections,
    // A message whose connection broke is tried again by its job, which counts the tries and keeps to their order.
    maxRequeues: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(dkim === undefined
      ? {}
      : {
          dkim: {
            domainName: dkim.domain,
            keySelector: dkim.selector,
            privateKey: dkimKey(dkim.keyFile),
            headerFieldNames: SIGNED_FIELDS.join(":"),
          },
        }),
  });
  const domain = from.replace(/^.*@/, "").replace(/>$/, "");
  return {
    async send(message, { signal, now }) {
      if (!ADDRESS.test(message.to)) throw new Fault("rejected", "The e-mail address is none that can be written to.");
      try {
        await transport.sendMail({
          from,
          replyTo,
          to: { name: "", address: message.to },
          subject: message.subject,
          text: message.text,
          html: message.html,
          messageId: `<${message.id}@${domain}>`,
          date: now,
          headers: headersOf(message),
          signal,
        });
      } catch (error) {
        throw faultOfSmtp(error, { server: `${host}:${port}` });
      }
    },
    close: async () => transport.close(),
  };
}

/**
 * RFC 3834 section 5: nobody's absence note answers these. RFC 2369 and RFC 8058: where to turn it off, at once where the address is one of
 * https, as the latter wants it.
 */
function headersOf({ language, unsubscribeUrl }: Message): Record<string, string> {
  return {
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "All",
    "Content-Language": language,
    ...(unsubscribeUrl === undefined ? {} : { "List-Unsubscribe": `<${unsubscribeUrl}>` }),
    ...(unsubscribeUrl?.startsWith("https:") ? { "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" } : {}),
  };
}

function read(file: string, field: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new AppError("misconfigured", `${file} can't be read: ${messageOf(cause)}`, { field: `signIn.notify.email.${field}`, cause });
  }
}

/** The mail library signs by RSA alone, and sends unsigned what it can't sign without a word. RFC 8301 section 3.2 wants 1024 bits or more. */
function dkimKey(file: string): string {
  const field = "signIn.notify.email.dkim.keyFile";
  const text = read(file, "dkim.keyFile");
  const refuse = (why: string, cause?: unknown) => new AppError("misconfigured", `${file} ${why}`, { field, cause });
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(text);
    if (asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) < 1024)
      throw refuse("must hold an RSA key of 1024 bits or more: mails are signed with nothing else (openssl genrsa 2048).");
    return text;
  } catch (error) {
    throw error instanceof AppError ? error : refuse("holds no private key in PEM without a passphrase.", error);
  }
}
