import { readFileSync } from "node:fs";
import path from "node:path";
import { Router } from "express";
import { projectFolder } from "../../db/folder.ts";
import { pagePolicy } from "../middleware/security-headers.ts";
import { DOCS_STYLE, docsPage } from "./docs-page.ts";
import { openApiOf, type OpenApiDocument } from "./openapi.ts";
import type { ApiOptions } from "./route.ts";
import { createApi } from "./router.ts";
import { apiRoutes } from "./routes.ts";

/** `/api`: the administration API under /v1, its OpenAPI document, and that document as a page to read. */
export function createApiDoor(options: ApiOptions): Router {
  const router = Router({ caseSensitive: true });
  const routes = apiRoutes();
  let document: OpenApiDocument | undefined;
  const described = () => (document ??= openApiOf(routes, { version: ownVersion() }));
  router.get("/v1/openapi.json", (_request, response) => {
    response.json(described());
  });
  router.get("/docs", pagePolicy("documents"), (_request, response) => {
    response.type("html").send(docsPage(described()));
  });
  router.get("/docs.css", (_request, response) => {
    response.type("css").send(DOCS_STYLE);
  });
  router.use("/v1", createApi({ ...options, routes }));
  return router;
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(path.join(projectFolder(), "package.json"), "utf8")) as { version: string }).version;
}
