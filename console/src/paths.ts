/** The only maker of addresses: each page by its name. What they give is for `<Link {...to.servers(id)}>` and `navigate(…)`. */
export const BASE = '/console'

export const to = {
  home: () => ({ to: '/' }) as const,
  login: (search: { next?: string; ended?: boolean } = {}) => ({ to: '/login', search }) as const,
  project: (project_id: string) => ({ to: '/projects/$project_id', params: { project_id } }) as const,
  servers: (project_id: string) => ({ to: '/projects/$project_id/servers', params: { project_id } }) as const,
  s3: (project_id: string) => ({ to: '/projects/$project_id/s3', params: { project_id } }) as const,
  containers: (project_id: string) => ({ to: '/projects/$project_id/containers', params: { project_id }, search: {} }) as const,
  /** Names stand in the query: `..` would not last in a path. */
  objects: (project_id: string, search: { container: string; folder?: string }) => ({ to: '/projects/$project_id/containers/objects', params: { project_id }, search }) as const,
}

/** Where to go after a login: only back into the dashboard, whatever the address bar said (no open redirect). */
export function safeNext(next: string | undefined, origin: string): string {
  const home = `${BASE}/`
  // Browsers read `\` as `/` and drop tabs and newlines, so `/\evil` and `/<tab>/evil` are other hosts.
  if (!next || !/^\/[^/\\]/.test(next) || /[\\\s\p{Cc}]/u.test(next)) return home
  const url = new URL(next, origin)
  if (url.origin !== origin || !(url.pathname === BASE || url.pathname.startsWith(home))) return home
  return url.pathname + url.search
}
