/**
 * Uploads and downloads of this tab. They go on while one looks at other pages, and end with the session. At most so many run at once;
 * each tells how far it is, can be stopped, and tried again when it failed.
 */
import { useSyncExternalStore } from 'react'
import { ApiError, send } from '../api/client.ts'
import type { StoreInfo } from '../api/object-store.ts'
import { session } from '../session.ts'
import { downloadObject } from './download.ts'
import { dropSegments, type Upload, uploadFile } from './upload.ts'

const AT_ONCE = 3

export type TransferState = 'waiting' | 'running' | 'done' | 'failed' | 'exists' | 'cancelled'

export interface Transfer {
  id: number
  kind: 'upload' | 'download'
  projectId: string
  container: string
  name: string
  size: number
  moved: number
  state: TransferState
  error?: Error
}

interface Work extends Transfer {
  upload?: Upload
  stop: AbortController
}

let works: Work[] = []
let shown: readonly Transfer[] = []
let nextId = 1
let drawing = false
let finished = 0
const listeners = new Set<() => void>()

export const transfers = {
  upload(place: { projectId: string; container: string }, files: readonly { file: File; name: string }[]): void {
    for (const { file, name } of files) {
      works.push({ id: nextId++, kind: 'upload', ...place, name, size: file.size, moved: 0, state: 'waiting', stop: new AbortController(), upload: { ...place, name, file, replace: false, segments: [] } })
    }
    proceed()
  },

  download(place: { projectId: string; container: string; name: string; size: number }): void {
    works.push({ id: nextId++, kind: 'download', ...place, moved: 0, state: 'waiting', stop: new AbortController() })
    proceed()
  },

  /** What runs is stopped, what waits is not begun, what was to be decided is left. */
  cancel(id?: number): void {
    for (const work of works) {
      if ((id !== undefined && work.id !== id) || work.state === 'done' || work.state === 'cancelled') continue
      const running = work.state === 'running'
      work.state = 'cancelled'
      work.stop.abort()
      if (!running) tidy(work)
    }
    proceed()
  },

  /** After a failure; `replace` what is there. */
  retry(id: number, replace = false): void {
    const work = works.find((one) => one.id === id)
    if (!work || (work.state !== 'failed' && work.state !== 'exists')) return
    work.state = 'waiting'
    work.moved = 0
    work.stop = new AbortController()
    delete work.error
    if (work.upload && replace) work.upload.replace = true
    proceed()
  },

  /** What has ended in one way or another is shown no more. */
  clear(): void {
    for (const work of works) if (work.state === 'failed') tidy(work)
    works = works.filter(({ state }) => state === 'waiting' || state === 'running')
    draw()
  },
}

export const useTransfers = (): readonly Transfer[] => useSyncExternalStore(subscribe, () => shown)

/** Grows when listings may have changed. */
export const useFinished = (): number => useSyncExternalStore(subscribe, () => finished)

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function proceed(): void {
  let running = works.filter(({ state }) => state === 'running').length
  for (const work of works) {
    if (running >= AT_ONCE) break
    if (work.state !== 'waiting') continue
    running++
    work.state = 'running'
    void run(work)
  }
  draw()
}

async function run(work: Work): Promise<void> {
  const { stop } = work
  const progress = (moved: number): void => {
    work.moved = Math.min(moved, work.size)
    draw()
  }
  try {
    if (work.upload) await uploadFile(work.upload, await storeInfo(), stop.signal, progress)
    else await downloadObject(work, stop.signal, progress)
    if (work.state === 'running') Object.assign(work, { state: 'done', moved: work.size })
  } catch (thrown) {
    if (work.state === 'cancelled') tidy(work)
    else {
      work.error = thrown instanceof Error ? thrown : new Error(String(thrown))
      const status = thrown instanceof ApiError ? thrown.status : undefined
      work.state = status === 412 && work.upload && !work.upload.replace ? 'exists' : 'failed'
      if (status === 401) session.expire()
    }
  }
  // A listing for each of a thousand small files would be too many.
  if (work.upload && (works.every(({ state }) => state !== 'waiting') || work.id % 20 === 0)) finished++
  proceed()
}

/** Segments of what is given up. Who could not reach the store cannot tidy it either. */
function tidy({ upload }: Work): void {
  if (upload && upload.segments.length > 0 && session.current()) void dropSegments(upload).catch(() => {})
}

let info: Promise<StoreInfo> | undefined

function storeInfo(): Promise<StoreInfo> {
  info ??= send('GET', '/info')
    .then((response) => response.json() as Promise<StoreInfo>)
    .catch((thrown: unknown) => {
      info = undefined
      throw thrown
    })
  return info
}

/** Once a frame at most, however often bytes are counted. */
function draw(): void {
  if (drawing) return
  drawing = true
  requestAnimationFrame(() => {
    drawing = false
    shown = works.map(({ upload: _upload, stop: _stop, ...transfer }) => transfer)
    for (const listener of listeners) listener()
  })
}

const active = (): boolean => works.some(({ state }) => state === 'waiting' || state === 'running')

session.subscribe(() => {
  if (session.current() || works.length === 0) return
  transfers.cancel()
  works = []
})

// Who closes the tab loses what is under way.
addEventListener('beforeunload', (event) => {
  if (active()) event.preventDefault()
})
