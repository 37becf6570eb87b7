/**
 * An e-mail address as its owner can tell it apart, and nobody else: `a…@e….com`. Of a stranger's choice nothing is left that a mail
 * program would make a link of. Pure.
 */
export function shownAddress(address: string | null): string {
  if (address === null || address === "") return "–";
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  const top = domain.slice(domain.lastIndexOf(".") + 1);
  return `${firstOf(address)}…@${firstOf(domain)}….${/^\p{L}{2,12}$/u.test(top) ? top : "…"}`;
}

function firstOf(text: string): string {
  const [first = ""] = text;
  return /[\p{L}\p{N}]/u.test(first) ? first : "";
}
