import { Fault } from "../contract.ts";
import { AddressRefused } from "../kit/guard.ts";

/** What is known of a conversation, for its messages: nothing secret. */
export interface Spoken {
  host: string;
  port: number;
  user: string;
  pinned: string;
  /** The fingerprint that the server showed. */
  shown: string | undefined;
}

/** SFTP status codes (draft-ietf-secsh-filexfer-02 section 7). */
const STATUS = { noSuchFile: 2, permissionDenied: 3 } as const;

/** What stopped us before there was a channel. The library's own words are kept as the cause only: they may quote what was sent. */
export function connectFault(error: unknown, { host, port, user, pinned, shown }: Spoken): Fault {
  const { level, code, message } = error as { level?: string; code?: string; message?: string };
  if (error instanceof AddressRefused) return new Fault("misconfigured", `${error.message}.`, { cause: error });
  if (shown !== undefined && shown !== pinned.replace(/=+$/, ""))
    return new Fault(
      "misconfigured",
      `${host} shows the key ${shown}, but \`hostKey\` is ${pinned}. Nothing was sent. Ask whoever runs the server whether its key was changed, and only then change \`hostKey\`.`,
    );
  if (level === "client-authentication")
    return new Fault(
      "denied",
      `${host} does not let ${user} in. Check user, password or key, and that the public key is in authorized_keys there.`,
    );
  if (message?.startsWith("Cannot parse privateKey") || message?.startsWith("Encrypted private"))
    return new Fault("misconfigured", "The private key can't be read: is it whole, and the passphrase right?");
  if (level === "handshake" || level === "protocol")
    return new Fault("transient", `${host}:${port} and we find no way to speak SSH with each other, or it was cut off.`, { cause: error });
  return new Fault("transient", `${host}:${port} can't be reached (${code ?? level ?? "the connection broke"}).`, { cause: error });
}

/** What the server answered to a request about a path. */
export function answerFault(error: Error, { host, user, path }: { host: string; user: string; path: string }): Fault {
  const { code } = error as { code?: number | string };
  if (code === STATUS.noSuchFile)
    return new Fault("misconfigured", `${host} has no file ${path}. Set \`sftp.path\` to where the feed is written.`, { cause: error });
  if (code === STATUS.permissionDenied)
    return new Fault("denied", `${host} does not let ${user} read ${path}. Give that user the right to read it there.`, { cause: error });
  return new Fault("transient", `${host} could not give ${path} (${code ?? "the connection broke"}).`, { cause: error });
}
