/** An element as read: names resolved, character data joined. */
export interface XmlElement {
  readonly namespace: string;
  readonly name: string;
  /** Attributes of no namespace by their names; declarations of namespaces are not among them. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own character data, whatever elements stand between. */
  readonly text: string;
  /** Prefix to namespace, as they hold inside of it. */
  readonly inScope: ReadonlyMap<string, string>;
  /** Where it stands in the text that was read: from its first character to behind its last. */
  readonly span: { readonly from: number; readonly to: number };
}

export interface ElementName {
  namespace: string;
  name: string;
}

export function isNamed(element: XmlElement, { namespace, name }: ElementName): boolean {
  return element.name === name && element.namespace === namespace;
}

/** The children of that name, in their order. */
export function childrenOf(element: XmlElement | undefined, wanted: ElementName): XmlElement[] {
  return (element?.children ?? []).filter((child) => isNamed(child, wanted));
}

/** The one child of that name; undefined when there is none, or more than one. */
export function onlyChild(element: XmlElement | undefined, wanted: ElementName): XmlElement | undefined {
  const found = childrenOf(element, wanted);
  return found.length === 1 ? found[0] : undefined;
}

/** The element itself and all below it, in the order of the document. */
export function* within(element: XmlElement): Generator<XmlElement> {
  yield element;
  for (const child of element.children) yield* within(child);
}

/** All below it of that name. */
export function descendantsOf(element: XmlElement, wanted: ElementName): XmlElement[] {
  return [...within(element)].filter((each) => each !== element && isNamed(each, wanted));
}

/**
 * Its text without white space of XML around it (section 2.3); undefined when it has elements inside, or no text. Other blanks stay:
 * without them, two names would become one.
 */
export function plainText(element: XmlElement | undefined): string | undefined {
  if (!element || element.children.length > 0) return undefined;
  return element.text.replaceAll(/^[ \t\n\r]+|(?<![ \t\n\r])[ \t\n\r]+$/g, "") || undefined;
}
