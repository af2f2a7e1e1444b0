/** WebSockets go to the house whose mount they are below. */
import type { ListenOptions } from '#base/http/server.ts'
import type { ControlProcess } from '#stack/house.ts'

export function upgradeRouter(controls: ReadonlyMap<string, ControlProcess>): NonNullable<ListenOptions['onUpgrade']> {
  return (request, socket, head, raw) => {
    for (const control of controls.values()) {
      const { mount } = control.plate
      if (!control.onUpgrade || (request.path !== mount && !request.path.startsWith(`${mount}/`))) continue
      request.mount = mount
      request.path = request.path.slice(mount.length) || '/'
      control.onUpgrade(request, socket, head, raw)
      return
    }
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }
}
