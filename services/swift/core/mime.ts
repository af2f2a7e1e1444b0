/** Content type by the end of a name, for uploads that do not say. */
const TYPES: Readonly<Record<string, string>> = {
  avi: 'video/x-msvideo', bin: 'application/octet-stream', bmp: 'image/bmp', css: 'text/css', csv: 'text/csv', doc: 'application/msword', eot: 'application/vnd.ms-fontobject', gif: 'image/gif', htm: 'text/html', html: 'text/html', ico: 'image/vnd.microsoft.icon', jpeg: 'image/jpeg', jpg: 'image/jpeg',
  js: 'text/javascript', json: 'application/json', m3u8: 'application/vnd.apple.mpegurl', md: 'text/markdown', mjs: 'text/javascript', mov: 'video/quicktime', mp3: 'audio/mpeg', mp4: 'video/mp4', mpeg: 'video/mpeg', mpg: 'video/mpeg', pdf: 'application/pdf', png: 'image/png', ppt: 'application/vnd.ms-powerpoint', ps: 'application/postscript', py: 'text/x-python',
  rtf: 'application/rtf', sh: 'application/x-sh', svg: 'image/svg+xml', tar: 'application/x-tar', tgz: 'application/x-tar', tif: 'image/tiff', tiff: 'image/tiff', txt: 'text/plain', wasm: 'application/wasm', wav: 'audio/x-wav', webm: 'video/webm', webp: 'image/webp', xls: 'application/vnd.ms-excel', xml: 'application/xml', zip: 'application/zip', docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', log: 'text/plain', apk: 'application/vnd.android.package-archive', deb: 'application/vnd.debian.binary-package', flac: 'audio/flac', iso: 'application/x-iso9660-image', jar: 'application/java-archive', m4a: 'audio/mp4', m4v: 'video/x-m4v', mkv: 'video/x-matroska', odt: 'application/vnd.oasis.opendocument.text', ogg: 'audio/ogg', ogv: 'video/ogg', opus: 'audio/ogg', otf: 'font/otf', pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation', rar: 'application/vnd.rar', rpm: 'application/x-redhat-package-manager', ttf: 'font/ttf', woff: 'font/woff', woff2: 'font/woff2', xhtml: 'application/xhtml+xml', yaml: 'application/yaml', yml: 'application/yaml', '7z': 'application/x-7z-compressed',
}

export function typeOf(name: string): string {
  // What is compressed is what it was before: that is how Swift guesses, and `.gz` alone says nothing.
  const end = /[^/]\.([a-z0-9]+)$/i.exec(name.replace(/\.(gz|bz2|xz|br|Z)$/i, ''))?.[1]?.toLowerCase()
  return (end && Object.hasOwn(TYPES, end) ? TYPES[end] : undefined) ?? 'application/octet-stream'
}
