import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer, type SMTPServerSession } from "smtp-server";

/** What the server does with one message that begins. */
export type Behaviour =
  | "accept"
  /** Answers a command with a code. */
  | { refuse: "MAIL" | "RCPT" | "DATA"; code: number; words?: string }
  /** Refuses a message in the message's own words. */
  | "echo"
  /** The connection ends in the middle of the message. */
  | "drop"
  /** It has the whole message and never says so. */
  | "hold";

export interface Mail {
  to: string[];
  raw: string;
  parsed: Email;
  /** Whether it came over an encrypted connection, and as whom. */
  secure: boolean;
  user: string | undefined;
}

export interface MailServer {
  host: string;
  port: number;
  /** File with the certificate to believe. */
  caFile: string;
  readonly mails: readonly Mail[];
  /** How often a client began a message. */
  begun(): number;
  /** For the messages that come next, in this order; after them all are accepted. */
  next(...behaviours: Behaviour[]): void;
  stop(): Promise<void>;
}

export interface MailServerOptions {
  /** Credentials that are asked for. */
  account?: { user: string; password: string };
  /** Does not offer STARTTLS. */
  plain?: boolean;
}

/** A real SMTP server on this machine, with a certificate of its own. */
export async function startMailServer({ account, plain = false }: MailServerOptions = {}): Promise<MailServer> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-mail-"));
  const [keyFile, caFile] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=127.0.0.1",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      keyFile,
      "-out",
      caFile,
    ],
    { stdio: "ignore" },
  );
  const mails: Mail[] = [];
  const coming: Behaviour[] = [];
  const current = new WeakMap<SMTPServerSession, Behaviour>();
  let begun = 0;
  const refusal = (session: SMTPServerSession, at: "MAIL" | "RCPT" | "DATA"): Error | null => {
    const behaviour = current.get(session);
    if (typeof behaviour !== "object" || behaviour.refuse !== at) return null;
    return Object.assign(new Error(behaviour.words ?? "refused"), { responseCode: behaviour.code });
  };
  const sockets = new Set<{ destroy(): void }>();
  const server = new SMTPServer({
    key: readFileSync(keyFile),
    cert: readFileSync(caFile),
    hideSTARTTLS: plain,
    ...(plain ? { disabledCommands: ["STARTTLS"] } : {}),
    authOptional: account === undefined,
    allowInsecureAuth: false,
    onAuth({ username, password }, _session, done) {
      if (account && username === account.user && password === account.password) return done(null, { user: username });
      done(Object.assign(new Error("wrong user or password"), { responseCode: 535 }));
    },
    onMailFrom(_address, session, done) {
      begun++;
      current.set(session, coming.shift() ?? "accept");
      done(refusal(session, "MAIL"));
    },
    onRcptTo(_address, session, done) {
      done(refusal(session, "RCPT"));
    },
    onData(stream, session, done) {
      const behaviour = current.get(session);
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (behaviour === "drop") for (const socket of sockets) socket.destroy();
      });
      const take = async () => {
        const refused = refusal(session, "DATA");
        if (refused) return done(refused);
        const raw = Buffer.concat(chunks).toString("utf8");
        const parsed = await PostalMime.parse(raw);
        if (behaviour === "echo") return done(Object.assign(new Error((parsed.text ?? "").replaceAll(/\s+/g, " ")), { responseCode: 451 }));
        const to = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ to, raw, parsed, secure: session.secure, user: session.user });
        if (behaviour !== "hold") done();
      };
      stream.on("end", () => void take());
    },
  });
  server.server.on("connection", (socket: { destroy(): void }) => sockets.add(socket));
  // A client that goes away in the middle is what these tests are about.
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    host: "127.0.0.1",
    port: (server.server.address() as AddressInfo).port,
    caFile,
    mails,
    begun: () => begun,
    next: (...behaviours) => void coming.push(...behaviours),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
