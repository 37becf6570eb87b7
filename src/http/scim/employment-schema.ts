import { EMPLOYMENT_USER } from "../../directory/attributes.ts";
import type { Described, SchemaDocument } from "./schema.ts";

const text = {
  type: "string",
  multiValued: false,
  required: false,
  caseExact: true,
  mutability: "readWrite",
  returned: "default",
  uniqueness: "none",
} as const;

const ATTRIBUTES: readonly Described[] = [
  {
    ...text,
    name: "startDate",
    description: "The first day of employment, YYYY-MM-DD, or a date and a time; access may be made ready some days before.",
  },
  {
    ...text,
    name: "endDate",
    description: "The last day of employment, on which access ends, YYYY-MM-DD, or the date and the time at which it ends.",
  },
  { ...text, name: "timeZone", description: "The IANA name of the time zone of both; that of the person's own when absent." },
  {
    ...text,
    type: "complex",
    name: "transfer",
    description: "What changes at a date ahead. What it says nothing of stays as it is.",
    subAttributes: [
      { ...text, name: "date", description: "The day from which it is so, YYYY-MM-DD, or a date and a time." },
      ...["title", "department", "division", "organization", "costCenter"].map((name) => ({
        ...text,
        caseExact: false,
        name,
        description: `The ${name} from then on.`,
      })),
      { ...text, name: "manager", description: "The id of the manager from then on." },
    ],
  },
];

/**
 * When a person is employed, and where from a date on. Texts rather than SCIM's dateTime (RFC 7643 section 2.3.5), because HR systems know days, and the
 * instant at which a day begins follows from where somebody works.
 */
export const EMPLOYMENT_DOCUMENT: SchemaDocument = {
  id: EMPLOYMENT_USER,
  name: "Employment User",
  description: "The dates between which a person is employed, and a transfer ahead",
  attributes: ATTRIBUTES,
};
