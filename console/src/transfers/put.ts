/** One PUT that tells how far it is. `fetch` does not tell that of what it sends; XMLHttpRequest does. */
import { ApiError, messageIn } from '../api/client.ts'

export interface Putting {
  token: string
  headers: Readonly<Record<string, string>>
  content: Blob | string
  signal: AbortSignal
  /** Bytes that have been sent. */
  onProgress: (sent: number) => void
}

/** Answers the headers. Throws ApiError, or what the signal says. */
export function put(path: string, { token, headers, content, signal, onProgress }: Putting): Promise<Headers> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const request = new XMLHttpRequest()
    const stop = (): void => request.abort()
    signal.addEventListener('abort', stop, { once: true })
    request.open('PUT', path)
    for (const [name, value] of Object.entries({ ...headers, accept: 'application/json', 'x-auth-token': token })) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded }) => onProgress(loaded)
    request.onloadend = () => {
      signal.removeEventListener('abort', stop)
      const answered = headersIn(request.getAllResponseHeaders())
      if (signal.aborted) reject(signal.reason as Error)
      else if (request.status >= 200 && request.status < 300) resolve(answered)
      else reject(new ApiError(request.status, messageIn(request.responseText) ?? request.statusText, answered))
    }
    request.send(content)
  })
}

function headersIn(lines: string): Headers {
  const headers = new Headers()
  for (const line of lines.trim().split('\r\n')) {
    const cut = line.indexOf(':')
    if (cut > 0) headers.append(line.slice(0, cut), line.slice(cut + 1).trim())
  }
  return headers
}
