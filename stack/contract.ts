/**
 * What another house may call, as data: an operation is a method, a path template and two types. From it `stack/client.ts` makes a
 * typed client, in this process or over HTTP.
 *
 *     export const showNetwork = operation<{ params: { network_id: string } }, { network: Network }>('GET', '/v2.0/networks/{network_id}')
 */
export interface OperationInput {
  params?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  body?: unknown
}

export interface Operation<In extends OperationInput, Out> {
  readonly method: string
  readonly path: string
  /** Value for `OpenStack-API-Version`, e.g. `placement 1.39`. */
  readonly version?: string
  /** Never set: carries the types. */
  readonly types?: (input: In) => Out
}

export function operation<In extends OperationInput, Out = void>(method: string, path: string, version?: string): Operation<In, Out> {
  return version === undefined ? { method, path } : { method, path, version }
}
