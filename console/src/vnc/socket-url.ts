/** The WebSocket that an address names: always on the host that served the page. Undefined when it names none. */
export function socketUrl(page: { href: string }): string | undefined {
  const here = new URL(page.href)
  const path = here.searchParams.get('path') ?? new URLSearchParams(here.hash.slice(1)).get('path')
  if (!path) return undefined
  const url = new URL(`/${path.replace(/^[/\\\s]+/, '')}`, here.origin)
  if (url.origin !== here.origin) return undefined
  url.protocol = here.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}
