-- Files that were handed in for a connection: every node reads them, and they go with the connection.
CREATE TABLE "uploads" (
    "id" BIGSERIAL NOT NULL,
    "connection_id" INTEGER NOT NULL,
    "file" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "received_at" TIMESTAMPTZ(6) NOT NULL,
    "key" TEXT NOT NULL,
    CONSTRAINT "uploads_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "uploads_received" ON "uploads"("connection_id", "received_at");
ALTER TABLE "uploads" ADD CONSTRAINT "uploads_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "upload_chunks" (
    "upload_id" BIGINT NOT NULL,
    "seq" INTEGER NOT NULL,
    "content" BYTEA NOT NULL,
    CONSTRAINT "upload_chunks_pkey" PRIMARY KEY ("upload_id", "seq")
);
ALTER TABLE "upload_chunks" ADD CONSTRAINT "upload_chunks_upload_id_fkey" FOREIGN KEY ("upload_id") REFERENCES "uploads"("id") ON DELETE CASCADE ON UPDATE CASCADE;
-- What is sealed can't be compressed.
ALTER TABLE "upload_chunks" ALTER COLUMN "content" SET STORAGE EXTERNAL;
