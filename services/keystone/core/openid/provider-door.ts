/** How an identity provider is asked. */
export interface ProviderAsk {
  method: 'GET' | 'POST'
  url: string
  headers?: Record<string, string>
  form?: URLSearchParams
}

/** Throws `unavailable` when there is no answer; any status is an answer. */
export type AskProvider = (ask: ProviderAsk) => Promise<{ status: number; text: string }>
