/** Text between tags of XML, where quotes are themselves. */
export const escapeText = (value: unknown): string => escape(value).replaceAll('&quot;', '"').replaceAll('&#x27;', "'")

/** Text into HTML and XML. */
export const escape = (value: unknown): string =>
  String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#x27;')
  // What XML 1.0 cannot hold at all.
  // oxlint-disable-next-line no-control-regex
  .replaceAll(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd')
