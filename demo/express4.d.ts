/** Express 4 under its own name, for the sample application: its routers read the query as Express 4 makes it. */
declare module "express4" {
  import express from "express";
  export default express;
}
