/** A flame graph as one still SVG: width is time, what stands above was called by what stands below. */

/** `outermost;…;innermost` → samples. */
export type Stacks = Map<string, number>

interface Frame { name: string; count: number; inner: Map<string, Frame> }

const WIDTH = 1200
const ROW = 16
/** What is narrower is left out, pixels. */
const NARROWEST = 2.4

export function flameSvg(title: string, stacks: Stacks): string {
  const root: Frame = { name: 'all', count: 0, inner: new Map() }
  for (const [path, count] of stacks) {
    root.count += count
    let at = root
    for (const name of path.split(';')) {
      let next = at.inner.get(name)
      if (!next) at.inner.set(name, (next = { name, count: 0, inner: new Map() }))
      next.count += count
      at = next
    }
  }
  const scale = WIDTH / root.count
  const boxes: { frame: Frame; x: number; depth: number }[] = []
  let deepest = 0
  const place = (frame: Frame, x: number, depth: number): void => {
    if (frame.count * scale < NARROWEST) return
    deepest = Math.max(deepest, depth)
    boxes.push({ frame, x, depth })
    let left = x
    for (const inner of [...frame.inner.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      place(inner, left, depth + 1)
      left += inner.count * scale
    }
  }
  place(root, 0, 0)
  const height = (deepest + 1) * ROW + 34
  const drawn = boxes.map(({ frame, x, depth }) => {
    const width = frame.count * scale
    const y = height - (depth + 1) * ROW - 4
    const share = ((frame.count / root.count) * 100).toFixed(1)
    const room = Math.floor((width - 4) / 6.1)
    const text = room < 3 ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escape(frame.name.length > room ? `${frame.name.slice(0, room - 1)}…` : frame.name)}</text>`
    return `<g><title>${escape(frame.name)} ${share} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.5, width - 0.4).toFixed(1)}" height="${ROW - 1}" fill="${colour(frame.name)}"/>${text}</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10"><rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="4" y="18" font-size="14">${escape(title)}</text>\n${drawn.join('\n')}\n</svg>\n`
}

/** The kernel, WebAssembly, JavaScript of ours, of Node, and native code. */
function colour(name: string): string {
  if (name.endsWith(' [k]')) return '#f0a868'
  if (name.startsWith('WebAssembly')) return '#9fc6f5'
  if (/ (?:base|stack|cloud|services)\//.test(name)) return '#9ad29a'
  return / (?:node:|\w)/.test(name) ? '#cfe3b0' : '#e6d0d0'
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
