/** A noun of the documentation. */
export interface Tag {
  name: string;
  description: string;
}

/** In the order in which somebody who has never seen it needs them: who am I, people, the tree, what they may, how it got here, who watches. */
export const TAGS: readonly Tag[] = [
  { name: "Me", description: "Whose credential it is that calls, and what it may do. The place to begin." },
  { name: "People", description: "Everybody there is: profiles, lifecycle, managers and their teams, the units that people belong to." },
  { name: "Photos", description: "A picture of somebody, in three sizes." },
  {
    name: "Custom attributes",
    description: "What an organisation wants to know of people beyond the standard: typed, and visible to whom it says.",
  },
  { name: "Imports", description: "Many people from a CSV file: first a preview with every row's errors, then all of it or nothing." },
  { name: "Personal data", description: "Everything that is known of one person, and deleting it for good." },
  { name: "Passwords and invitations", description: "Links by which people come in for the first time, or again." },
  { name: "Second factors", description: "Which ones somebody has, and who needs one." },
  { name: "Sessions", description: "Where people are signed in, and ending it." },
  { name: "Notices", description: "Messages to people, what became of them, and which ones people want." },
  { name: "Units", description: "The tree of the organisation. A grant on a unit covers it and all below it." },
  { name: "Groups", description: "People together, nested if need be; a grant to a group is one to each member." },
  {
    name: "Roles",
    description:
      "Named sets of permissions, shipped or the organisation's own, and how they compare; every permission there is, and which modules are installed.",
  },
  { name: "Grants", description: "Who holds which role on which unit, from when until when, and why." },
  { name: "Access requests", description: "Asking for a role, for oneself or one's team, and deciding on it." },
  { name: "Rules", description: "Roles by group or by condition, so that nobody has to give them by hand." },
  { name: "Previews", description: "Whose access a change would alter, before it is saved; saved is what was shown, or nothing." },
  { name: "Access", description: "What somebody may do, why, why not, what would end it, and what was so in the past." },
  { name: "Check", description: "Other systems ask whether somebody may do something: many questions at once, answered from memory." },
  { name: "Connections", description: "The systems from which people come and to which they go: settings, mappings, schedules, checks." },
  { name: "Runs", description: "Synchronising a connection: asking for it, watching it, stopping it." },
  { name: "Plans", description: "What runs decided, item by item; those that a guard holds wait here for somebody." },
  { name: "Accounts", description: "What connections say of whom, and settling whose an account is." },
  { name: "Targets", description: "The systems that receive: what each should hold, what was delivered, what waits, what was given up." },
  { name: "Steps", description: "Beginning and leaving as checklists: what is done, what waits, what failed." },
  { name: "Tokens", description: "Credentials for programs: scoped, ending by themselves, rotated with an overlap." },
  { name: "Audit", description: "Every change and every decision: search, export, how long it is kept." },
  { name: "Incidents", description: "Suspicious patterns, their evidence, and closing them." },
  { name: "Bulk", description: "Many of the other requests in one." },
];
