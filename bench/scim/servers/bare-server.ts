import express from "express";
import pg from "pg";
import { serve, type ServerJob } from "./serve.ts";

/** What Express and PostgreSQL can do at best: one stored text by primary key, sent as it is. */
serve(({ databaseUrl, poolSize }: ServerJob) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: poolSize });
  const app = express();
  app.get("/scim/Users/:id", async (request, response) => {
    const { rows } = await pool.query({
      name: "person",
      text: "select document from bare_people where id = $1",
      values: [request.params.id],
    });
    response.type("application/scim+json").send(rows[0]?.document);
  });
  return app;
});
