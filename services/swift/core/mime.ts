/** Content type by the end of a name, for uploads that do not say. */
const TYPES: Readonly<Record<string, string>> = {
  avi: 'video/x-msvideo', bin: 'application/octet-stream', bmp: 'image/bmp', css: 'text/css', csv: 'text/csv', doc: 'application/msword', eot: 'application/vnd.ms-fontobject', gif: 'image/gif', htm: 'text/html', html: 'text/html', ico: 'image/vnd.microsoft.icon', jpeg: 'image/jpeg', jpg: 'image/jpeg',
  js: 'text/javascript', json: 'application/json', m3u8: 'application/vnd.apple.mpegurl', md: 'text/markdown', mjs: 'text/javascript', mov: 'video/quicktime', mp3: 'audio/mpeg', mp4: 'video/mp4', mpeg: 'video/mpeg', mpg: 'video/mpeg', pdf: 'application/pdf', png: 'image/png', ppt: 'application/vnd.ms-powerpoint', ps: 'application/postscript', py: 'text/x-python',
  rtf: 'application/rtf', sh: 'application/x-sh', svg: 'image/svg+xml', tar: 'application/x-tar', tgz: 'application/x-tar', tif: 'image/tiff', tiff: 'image/tiff', txt: 'text/plain', wasm: 'application/wasm', wav: 'audio/x-wav', webm: 'video/webm', webp: 'image/webp', xls: 'application/vnd.ms-excel', xml: 'text/xml', zip: 'application/zip', docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', log: 'text/plain', gz: 'application/gzip', bz2: 'application/x-bzip2',
}

export function typeOf(name: string): string {
  const end = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase()
  return (end && Object.hasOwn(TYPES, end) ? TYPES[end] : undefined) ?? 'application/octet-stream'
}
