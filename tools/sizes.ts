/** Lines of code per room, and the files that are more than a page or two: `node tools/sizes.ts`. */
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

export interface Size {
  path: string
  lines: number
}

/** Every source file of the tree, the longest first. */
export function sizes(): Size[] {
  return globSync('{base,stack,host,services,cloud,tools,conformance,console}/**/*.{ts,tsx}', { cwd: root, exclude: (name) => /node_modules|dist/.test(String(name)) })
    .map((path) => ({ path, lines: readFileSync(resolve(root, path), 'utf8').split('\n').length - 1 }))
    .sort((a, b) => b.lines - a.lines)
}

/** `services/nova/api/servers.ts` → `services/nova/api`; `base/sql/open.ts` → `base/sql`. */
const roomOf = (path: string): string => path.split('/').slice(0, path.startsWith('services/') ? 3 : 2).filter((part) => !part.includes('.')).join('/')

function print(): void {
  const all = sizes()
  const rooms = Map.groupBy(all, ({ path }) => roomOf(path))
  const rows = [...rooms].map(([room, files]) => ({ room, files: files.length, lines: files.reduce((sum, each) => sum + each.lines, 0), longest: files[0]!.lines })).sort((a, b) => (a.room < b.room ? -1 : 1))
  for (const { room, files, lines, longest } of rows) console.log(`${room.padEnd(32)}${String(files).padStart(5)} files${String(lines).padStart(8)} lines   longest ${longest}`)
  console.log(`\n${all.length} files, ${all.reduce((sum, each) => sum + each.lines, 0)} lines, ${all.filter((each) => each.lines > 300).length} of them over 300 lines:`)
  for (const { path, lines } of all.filter((each) => each.lines > 300)) console.log(`  ${String(lines).padStart(4)} ${path}`)
}

if (import.meta.main) print()
