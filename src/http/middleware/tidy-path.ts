import type { RequestHandler } from "express";

/** Takes doubled slashes out of a SCIM URL's path (a base URL that ends with one, joined to `/Users`); `untidyPath` says so to the door. */
export function tidyPath(): RequestHandler {
  return (request, response, next) => {
    const { url } = request;
    const end = url.indexOf("?");
    const path = end < 0 ? url : url.slice(0, end);
    if (path.includes("//") && /^\/+scim\//i.test(path)) {
      request.url = path.replaceAll(/\/{2,}/g, "/") + (end < 0 ? "" : url.slice(end));
      response.locals["untidyPath"] = true;
    }
    next();
  };
}
