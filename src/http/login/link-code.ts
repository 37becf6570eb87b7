import { z } from "zod";

/** What proves a link. People paste the whole link where they were asked for what stands behind its `#`. */
export const linkCode = z
  .string()
  .trim()
  .max(2000)
  .transform((text) => text.slice(text.lastIndexOf("#") + 1));
