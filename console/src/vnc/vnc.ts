/**
 * The screen of a server, opened by the address that `openstack console url show` prints:
 *
 *     /console/vnc.html?path=compute/consoles%3Ftoken%3D…
 *
 * `path` (in the query, or after `#`) is the WebSocket's path on this host and holds its one-time token. Whoever serves it checks the token and
 * the Origin. The machine's name and whatever it paints are text and pixels, never markup.
 */
import './vnc.css'
import RFB from '@novnc/novnc'
import i18next from 'i18next'
import { startTexts } from '../text/language.ts'
import { socketUrl } from './socket-url.ts'

const part = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind
const [name, state, screen] = [part('name'), part('state'), part('screen')]
const [keys, full, again] = [part<HTMLButtonElement>('keys'), part<HTMLButtonElement>('full'), part<HTMLButtonElement>('again')]

await startTexts()
full.textContent = i18next.t('vnc.full')
again.textContent = i18next.t('vnc.again')
full.onclick = () => void screen.requestFullscreen()
again.onclick = () => connect()
connect()

function connect(): void {
  const url = socketUrl(location)
  if (!url) {
    state.textContent = i18next.t('vnc.no_address')
    return
  }
  state.textContent = i18next.t('vnc.connecting')
  again.hidden = true
  screen.replaceChildren()
  let connected = false
  const rfb = new RFB(screen, url, { wsProtocols: ['binary'] })
  rfb.scaleViewport = true
  rfb.background = 'transparent'
  keys.onclick = () => rfb.sendCtrlAltDel()
  rfb.addEventListener('connect', () => {
    connected = true
    keys.disabled = false
    state.textContent = i18next.t('vnc.connected')
    rfb.focus()
  })
  rfb.addEventListener('desktopname', (event) => {
    name.textContent = event.detail.name
    document.title = `${event.detail.name} — noVNC`
  })
  rfb.addEventListener('disconnect', () => {
    keys.disabled = true
    again.hidden = false
    state.textContent = i18next.t(connected ? 'vnc.ended' : 'vnc.refused')
  })
}
