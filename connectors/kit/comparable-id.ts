const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * An id as it is compared with another: the letters of a UUID mean the same in either case (RFC 9562 section 4), and some applications
 * write it in one for the resource and in the other for a member. Every other id is exact.
 */
export function comparable(id: string): string {
  return UUID.test(id) ? id.toLowerCase() : id;
}
