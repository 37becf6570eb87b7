import { AppError, messageOf } from "../errors.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
};

/** What to throw when a file that the command line names can't be read: `invalid`, in words rather than the system's code. */
export function unreadable(file: string, error: unknown): AppError {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const name = file === "-" ? "Standard input" : file;
  return new AppError("invalid", `${name} can't be read: ${WORDS[code] ?? messageOf(error)}.`, { field: "file", cause: error });
}
