import { Fault, type FaultKind } from "../../connectors/contract.ts";
import { saysNobody } from "../directory/bounces.ts";
import { messageOf } from "../errors.ts";

/** What nodemailer adds to its errors. */
interface SmtpError {
  code?: string;
  /** The command that was answered: `RCPT TO`, `DATA`, `AUTH PLAIN`. */
  command?: string;
  responseCode?: number;
  response?: string;
}

/** Nothing that the message has to do with: the settings are wrong, and the next one fails alike. */
const MISCONFIGURED: ReadonlySet<string> = new Set(["ETLS", "EDNS", "ECONFIG", "EREQUIRETLS"]);

/**
 * An error of sending, by what there is to do. A refusal for good (5xx, RFC 5321 section 4.2.1) of the recipient or the content will
 * not change by waiting; one of us (who we are, who we write as) does once the operator has set it right.
 */
export function faultOfSmtp(error: unknown, { server }: { server: string }): Fault {
  const { code = "", command = "", responseCode, response } = error as SmtpError;
  const words = (response ?? messageOf(error)).replaceAll(/[\p{Cc}\s]+/gu, " ").slice(0, 5000);
  const said = `The mail server ${server} ${response === undefined ? "can't be used" : "answered"}: ${words}`;
  return new Fault(kindOf({ code, command, responseCode, response }), said, { cause: error });
}

interface Answered {
  code: string;
  command: string;
  responseCode: number | undefined;
  response: string | undefined;
}

function kindOf({ code, command, responseCode, response }: Answered): FaultKind {
  if (code === "EAUTH" || command.startsWith("AUTH")) return responseCode !== undefined && responseCode < 500 ? "transient" : "denied";
  if (code === "EENVELOPE" && command === "API") return "rejected";
  if (responseCode === undefined) return MISCONFIGURED.has(code) ? "misconfigured" : "transient";
  if (responseCode < 500) return "transient";
  if (command === "RCPT TO" && isNobody(responseCode, response)) return "gone";
  return ["RCPT TO", "DATA", "BDAT"].includes(command) || code === "EMESSAGE" ? "rejected" : "misconfigured";
}

/**
 * Whether a recipient was refused because there is nobody: by the enhanced code where there is one (RFC 3463: 5.1.1 to 5.1.3, 5.1.6, 5.1.10 and
 * 5.2.1 are of the address), else by those that RFC 5321 section 4.2.3 has for it. A refusal for other reasons (5.7.1) is the message's or ours.
 */
function isNobody(responseCode: number, response = ""): boolean {
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];
  return enhanced === undefined ? [550, 551, 553].includes(responseCode) : saysNobody(enhanced);
}
