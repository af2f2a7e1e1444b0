/**
 * Uploads and downloads of this tab. They go on while one looks at other pages. When the session ends by itself they wait for the same person's
 * next login; a logout ends them. At most so many run at once; each tells how far it is, can be stopped, and tried again when it failed.
 */
import { useSyncExternalStore } from 'react'
import { ApiError, send } from '../api/client.ts'
import type { StoreInfo } from '../api/object-store.ts'
import { session } from '../session.ts'
import { downloadObject } from './download.ts'
import type { FileHandle } from './save.ts'
import { beside } from './kept-both.ts'
import { dropSegments, type Upload, uploadFile } from './upload.ts'

/** Browsers hold six connections to one place; two are for looking around. */
const AT_ONCE = 4
/** So many names beside a taken one are tried. */
const MOST_BESIDE = 100

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

/** What is done about a name that is taken. */
export type Choice = 'replace' | 'both' | 'skip'

interface Work extends Transfer {
  version?: string
  file?: FileHandle
  upload?: Upload
  stop: AbortController
  /** Decided for names that may turn out to be taken. */
  choice?: Choice
  /** Of the names that were tried beside a taken one. */
  serial: number
}

let works: Work[] = []
let shown: readonly Transfer[] = []
let nextId = 1
let drawing = false
let finished = 0
/** Whose they are. */
let owner: string | undefined
const listeners = new Set<() => void>()

export const transfers = {
  upload(place: { projectId: string; container: string }, files: readonly { file: File; name: string }[]): void {
    owner = session.required().user.id
    for (const { file, name } of files) {
      works.push({ id: nextId++, kind: 'upload', ...place, name, size: file.size, moved: 0, state: 'waiting', serial: 1, stop: new AbortController(), upload: { ...place, name, wanted: name, file, replace: false, segments: [] }, ...(name.endsWith('/') ? { choice: 'skip' } : {}) })
    }
    proceed()
  },

  download(place: { projectId: string; container: string; name: string; size: number; version?: string; file?: FileHandle }): void {
    owner = session.required().user.id
    works.push({ id: nextId++, kind: 'download', ...place, moved: 0, state: 'waiting', serial: 1, stop: new AbortController() })
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

  /** After a failure; without an id all that failed. */
  retry(id?: number): void {
    for (const work of works) if (work.state === 'failed' && (id === undefined || work.id === id)) again(work)
    proceed()
  },

  /** About names that are taken. Without an id: about those that will turn out to be taken, too. */
  decide(choice: Choice, id?: number): void {
    for (const work of works) {
      if (!work.upload || (id !== undefined && work.id !== id)) continue
      if (work.state === 'exists' || work.state === 'waiting' || work.state === 'running') work.choice = choice
      if (work.state === 'exists') settle(work, choice)
    }
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

function again(work: Work): void {
  work.state = 'waiting'
  work.moved = 0
  work.stop = new AbortController()
  delete work.error
}

function settle(work: Work, choice: Choice): void {
  const upload = work.upload!
  if (choice === 'skip') {
    work.state = 'cancelled'
    return tidy(work)
  }
  if (choice === 'replace') upload.replace = true
  else upload.name = work.name = beside(upload.wanted, ++work.serial)
  again(work)
}

function proceed(): void {
  let running = works.filter(({ state }) => state === 'running').length
  for (const work of works) {
    // Without a session they wait for the next one.
    if (running >= AT_ONCE || !session.current()) break
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
    if (work.stop === stop) work.moved = Math.min(moved, work.size)
    draw()
  }
  try {
    if (work.upload) await uploadFile(work.upload, await storeInfo(), stop.signal, progress)
    else await downloadObject(work, stop.signal, progress)
    if (work.state === 'running') Object.assign(work, { state: 'done', moved: work.size })
  } catch (thrown) {
    // It was put back among those that wait.
    if (work.stop !== stop) return
    if (work.state === 'cancelled') tidy(work)
    else if (!failed(work, thrown)) return
  }
  // A listing for each of a thousand small files would be too many.
  if (work.upload && (works.every(({ state }) => state !== 'waiting') || work.id % 20 === 0)) finished++
  proceed()
}

/** False when it waits for another session. */
function failed(work: Work, thrown: unknown): boolean {
  const status = thrown instanceof ApiError ? thrown.status : undefined
  if (status === 401 && session.current()) {
    session.expire()
    return false
  }
  work.error = thrown instanceof Error ? thrown : new Error(String(thrown))
  work.state = status === 412 && work.upload && !work.upload.replace ? 'exists' : 'failed'
  if (work.state === 'exists') work.moved = 0
  if (work.state === 'exists' && work.choice && work.serial < MOST_BESIDE) settle(work, work.choice)
  return true
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
    shown = works.map(({ upload: _upload, stop: _stop, choice: _choice, serial: _serial, version: _version, file: _file, ...transfer }) => transfer)
    for (const listener of listeners) listener()
  })
}

const active = (): boolean => works.some(({ state }) => state === 'waiting' || state === 'running')

session.subscribe(() => {
  const user = session.current()?.user.id
  if (user !== undefined && user === owner) return proceed()
  if (user === undefined && session.expired()) {
    for (const work of works) {
      if (work.state !== 'running') continue
      const { stop } = work
      again(work)
      stop.abort()
    }
    return draw()
  }
  // A logout, or somebody else.
  for (const work of works) work.stop.abort()
  works = []
  draw()
})

// What the line broke off goes on when it is there again.
addEventListener('online', () => {
  for (const work of works) if (work.state === 'failed' && work.error instanceof ApiError && work.error.status === 0) again(work)
  proceed()
})

// Who closes the tab loses what is under way.
addEventListener('beforeunload', (event) => {
  if (active()) event.preventDefault()
})
