/** The words that the made-up company is made of. Their ASCII forms are all different, so that logins are. */
export const GIVEN_NAMES = [
  "Ada", "Åsa", "Björn", "Chloé", "Dário", "Élodie", "Fatima", "Grażyna", "Hiroshi", "İpek", "João", "Katarína", "Łukasz", "Małgorzata", "Nadia", "Öykü",
  "Pedro", "Quentin", "René", "Søren", "Teodora", "Ursula", "Vít", "Wiesława", "Xenia", "Yusuf", "Zoë", "Amara", "Bartosz", "Chinwe", "Dmitri", "Esperança",
  "Freya", "Giulia", "Håkon", "Imani", "Jürgen", "Klára", "Leïla", "Maëlle", "Niño", "Oona", "Priya", "Rūta", "Siân", "Tomáš", "Ugo", "Věra",
  "Wojciech", "Ximena", "Ying", "Zbigniew", "Aoife", "Božena", "Ciarán", "Dagný", "Eirík", "Françoise", "Günther", "Hélène", "Ingrid", "Jörg", "Kaito", "Lovísa",
] as const;

export const FAMILY_NAMES = [
  "Nowak", "Wójcik", "Müller", "García", "Smith", "Okafor", "Tanaka", "Singh", "Dubois", "Larsen", "Źródło", "Šimek", "Çelik", "Østergård", "Þórsson", "O'Brien",
  "Kaczmarek", "Lindström", "Fernández", "Rossi", "Jørgensen", "Novák", "Petrov", "Yılmaz", "Schäfer", "Gonçalves", "Kovács", "Hämäläinen", "Băsescu", "Van den Berg", "Mäkinen", "Désiré",
  "Abebe", "Nguyễn", "Popović", "Weiß", "Åkerlund", "Ibáñez", "Żak", "Ruđer", "Moreau", "Castellà", "Eriksen", "Fontaine", "Grünwald", "Horváth", "Ionescu", "Jansen",
  "Kühn", "Lefèvre", "Mbeki", "Nørgaard", "Ortega", "Páez", "Quist", "Rašić", "Søndergaard", "Tóth", "Ulrich", "Vlček", "Wróbel", "Xavier", "Young", "Zelenka",
  "Baumann", "Cichoń", "Dąbrowa", "Egger", "Ferreira", "Gąsior", "Hansen", "Jaśkiewicz", "Krüger", "Løken",
] as const;

/** Departments and their codes; each has a team at every location. */
export const DEPARTMENTS = [
  { code: "ENG", name: "Engineering", titles: ["Software engineer", "Firmware engineer", "Test engineer", "Site reliability engineer"] },
  { code: "SAL", name: "Sales", titles: ["Account manager", "Sales engineer", "Partner manager"] },
  { code: "SUP", name: "Customer Service", titles: ["Service agent", "Service coach", "Escalation specialist"] },
  { code: "OPS", name: "Field Operations", titles: ["Locker technician", "Route planner", "Installer"] },
  { code: "FIN", name: "Finance", titles: ["Accountant", "Controller", "Payroll specialist"] },
  { code: "PPL", name: "People & Culture", titles: ["People partner", "Recruiter", "Learning coach"] },
  { code: "FAC", name: "Facilities", titles: ["Building manager", "Key warden", "Receptionist"] },
  { code: "SEC", name: "Security", titles: ["Alarm operator", "Security analyst", "Night guard"] },
] as const;

export const LOCATIONS = [
  { code: "KRK", name: "Kraków", language: "pl" },
  { code: "ZRH", name: "Zürich", language: "de" },
  { code: "GOT", name: "Göteborg", language: "sv" },
  { code: "LIS", name: "Lisboa", language: "pt" },
  { code: "YUL", name: "Montréal", language: "fr" },
] as const;

/** Groups that rules turn into roles; a share of one thousand people belongs to each. */
export const ROLE_GROUPS = [
  { name: "Register Admins", perThousand: 3 },
  { name: "Register Advanced Users", perThousand: 12 },
  { name: "Register Viewers", perThousand: 60 },
  { name: "Dashboard Admins", perThousand: 2 },
  { name: "Dashboard Users", perThousand: 40 },
  { name: "Service Desk", perThousand: 25 },
  { name: "Key Wardens", perThousand: 15 },
  { name: "Night Shift", perThousand: 20 },
] as const;

export const PROJECT_WORDS = ["Aurora", "Bernstein", "Cumulus", "Delfin", "Erable", "Fjord", "Granit", "Havel", "Indigo", "Jantar"] as const;
