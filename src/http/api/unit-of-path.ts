/** The unit that an ltree path leads to; a label is a unit's id without its dashes. */
export function unitOfPath(path: string): string {
  const label = path.slice(path.lastIndexOf(".") + 1);
  return label.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
