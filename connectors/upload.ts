/** The files that were handed in for a connection, as its connector sees them. */
export interface UploadedFiles {
  /** The one that came last, whole; undefined when none has come. */
  last(): Promise<UploadedFile | undefined>;
}

export interface UploadedFile {
  /** No other file of the connection has it, and none ever will. */
  name: string;
  bytes: number;
  receivedAt: Date;
  /** From the beginning each time. Throws `transient` when the file was cleared away meanwhile. */
  chunks(): AsyncGenerator<Buffer>;
}

export interface UploadLimits {
  /** Most bytes of one file. */
  maxBytes: number;
  /** So many of the last files are kept. */
  keep: number;
}

/** For Connector.uploadWithout. */
export interface UploadWithoutOptions<S> {
  settings: S;
  file: UploadedFile;
  /** Of people. */
  nativeIds: ReadonlySet<string>;
  signal: AbortSignal;
}
