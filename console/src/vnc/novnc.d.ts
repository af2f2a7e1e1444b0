/** What this page uses of noVNC, which brings no types. */
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, url: string, options?: { wsProtocols?: string[]; shared?: boolean })
    scaleViewport: boolean
    background: string
    sendCtrlAltDel(): void
    focus(): void
    disconnect(): void
    addEventListener(kind: 'desktopname', listener: (event: CustomEvent<{ name: string }>) => void): void
    addEventListener(kind: 'connect' | 'disconnect', listener: (event: CustomEvent) => void): void
  }
}
