/** The dashboard's beginning: texts, the cache of answers, the routes. */
import '@patternfly/react-core/dist/styles/base.css'
import './main.css'
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiError } from './api/client.ts'
import { to } from './paths.ts'
import { makeRouter } from './router.tsx'
import { session } from './session.ts'
import { startTexts } from './text/language.ts'

// A token that is valid no more is found out by whatever asks first.
const onError = (thrown: Error): unknown => thrown instanceof ApiError && thrown.status === 401 && session.current() && session.expire()
const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: { queries: { retry: (failures, thrown) => failures < 2 && thrown instanceof ApiError && (thrown.status === 0 || thrown.status >= 502) } },
})
const router = makeRouter(queryClient)

let loggedIn = session.current() !== undefined
session.subscribe(() => {
  const ended = loggedIn && session.current() === undefined
  loggedIn = session.current() !== undefined
  if (!ended) return
  // Nobody sees the answers of who was here before.
  queryClient.clear()
  void router.navigate(session.expired() ? to.login({ ended: true, next: location.pathname + location.search }) : to.login())
})

const dark = matchMedia('(prefers-color-scheme: dark)')
const followScheme = (): void => void document.documentElement.classList.toggle('pf-v6-theme-dark', dark.matches)
dark.addEventListener('change', followScheme)
followScheme()

await startTexts()
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
