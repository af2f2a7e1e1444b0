/** The pages, in one literal table. A page's code is loaded when it is visited; its data is asked for at the same time. */
import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, notFound, Outlet, redirect } from '@tanstack/react-router'
import { projectsQuery } from './api/identity.ts'
import { containersQuery, type ContainersSearch } from './api/containers.ts'
import { objectsQuery, type ObjectsSearch } from './api/objects.ts'
import { s3KeysQuery } from './api/s3-keys.ts'
import { serversQuery, type ServersSearch } from './api/compute.ts'
import { CrashPage } from './pages/crash-page.tsx'
import { NotFoundPage } from './pages/not-found-page.tsx'
import { BASE, to } from './paths.ts'
import { lastProject, session } from './session.ts'

interface Context {
  queryClient: QueryClient
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: () => <NotFoundPage what="title" /> })

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search): { next?: string; ended?: boolean } => ({ ...(typeof search.next === 'string' ? { next: search.next } : {}), ...(search.ended === true ? { ended: true } : {}) }),
  component: lazyRouteComponent(() => import('./pages/login-page.tsx'), 'LoginPage'),
})

const websso = createRoute({ getParentRoute: () => root, path: '/websso', component: lazyRouteComponent(() => import('./pages/arrival-page.tsx'), 'ArrivalPage') })

/** Everything behind the login. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  beforeLoad: ({ location }) => {
    if (!session.current()) throw redirect(to.login(location.pathname === '/' ? {} : { next: location.publicHref }))
  },
  loader: ({ context }) => context.queryClient.ensureQueryData(projectsQuery(session.required().user.id)),
  component: lazyRouteComponent(() => import('./shell/shell.tsx'), 'Shell'),
})

const home = createRoute({
  getParentRoute: () => inside,
  path: '/',
  loader: async ({ context }) => {
    const projects = await context.queryClient.ensureQueryData(projectsQuery(session.required().user.id))
    const project = projects.find(({ id }) => id === lastProject.get()) ?? projects[0]
    if (project) throw redirect({ ...to.project(project.id), replace: true })
  },
  component: () => <NotFoundPage what="none" />,
})

const project = createRoute({
  getParentRoute: () => inside,
  path: '/projects/$project_id',
  // Before the loaders, which would ask for a token that is not to be had.
  beforeLoad: async ({ context, params }) => {
    const projects = await context.queryClient.ensureQueryData(projectsQuery(session.required().user.id))
    if (!projects.some(({ id }) => id === params.project_id)) throw notFound()
    lastProject.set(params.project_id)
  },
  notFoundComponent: () => <NotFoundPage what="project" />,
})

const projectHome = createRoute({
  getParentRoute: () => project,
  path: '/',
  beforeLoad: ({ params }) => {
    throw redirect({ ...to.servers(params.project_id), replace: true })
  },
})

const servers = createRoute({
  getParentRoute: () => project,
  path: '/servers',
  validateSearch: (search): ServersSearch => ({
    ...(typeof search.name === 'string' && search.name !== '' ? { name: search.name } : {}),
    ...(search.sort === 'display_name' || search.sort === 'created_at' || search.sort === 'vm_state' ? { sort: search.sort } : {}),
    ...(search.dir === 'asc' || search.dir === 'desc' ? { dir: search.dir } : {}),
    ...(typeof search.marker === 'string' ? { marker: search.marker } : {}),
    ...(typeof search.server === 'string' ? { server: search.server } : {}),
  }),
  loaderDeps: ({ search }) => {
    const { server: _, ...list } = search
    return list
  },
  // Not awaited: the page shows at once that it is loading.
  loader: ({ context, params, deps }) => void context.queryClient.prefetchQuery(serversQuery(params.project_id, deps)),
  component: lazyRouteComponent(() => import('./pages/servers-page.tsx'), 'ServersPage'),
})

const containers = createRoute({
  getParentRoute: () => project,
  path: '/containers',
  validateSearch: (search): ContainersSearch => ({ ...text('find', search.find), ...text('marker', search.marker) }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, params, deps }) => void context.queryClient.prefetchQuery(containersQuery(params.project_id, deps)),
  component: lazyRouteComponent(() => import('./pages/containers-page.tsx'), 'ContainersPage'),
})

const objects = createRoute({
  getParentRoute: () => project,
  path: '/containers/objects',
  validateSearch: (search): ObjectsSearch => ({
    ...(text('container', search.container) as { container: string }),
    ...text('folder', search.folder),
    ...text('find', search.find),
    ...text('marker', search.marker),
    ...text('object', search.object),
  }),
  beforeLoad: ({ params, search }) => {
    if (search.container === undefined) throw redirect({ ...to.containers(params.project_id), replace: true })
  },
  loaderDeps: ({ search }) => {
    const { object: _, ...list } = search
    return list
  },
  loader: ({ context, params, deps }) => void context.queryClient.prefetchQuery(objectsQuery(params.project_id, deps)),
  component: lazyRouteComponent(() => import('./pages/objects-page.tsx'), 'ObjectsPage'),
})

const s3 = createRoute({
  getParentRoute: () => project,
  path: '/s3',
  loader: ({ context, params }) => void context.queryClient.prefetchQuery(s3KeysQuery(params.project_id)),
  component: lazyRouteComponent(() => import('./pages/s3-page.tsx'), 'S3Page'),
})

/** A name in an address; a number that somebody wrote by hand is one too. */
function text<Key extends string>(key: Key, value: unknown): { [K in Key]?: string } {
  return (value === undefined || value === null || value === '' ? {} : { [key]: String(value) }) as { [K in Key]?: string }
}

const routeTree = root.addChildren([login, websso, inside.addChildren([home, project.addChildren([projectHome, servers, containers, objects, s3])])])

export function makeRouter(queryClient: QueryClient) {
  return createRouter({ routeTree, basepath: BASE, context: { queryClient }, defaultPreload: 'intent', defaultErrorComponent: CrashPage, scrollRestoration: true })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
