/** Bytes that are here already, as a stream for whoever wants one. Who sends them may take `bytes` and spare the stream. */
import { Readable } from 'node:stream'

export class BytesBody extends Readable {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    super()
    this.bytes = bytes
  }

  override _read(): void {
    if (this.bytes.length > 0) this.push(this.bytes)
    this.push(null)
  }
}
