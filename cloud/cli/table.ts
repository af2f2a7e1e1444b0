/** Tables and colour for people; programs ask for --json. */
import { styleText } from 'node:util'

export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => (cell === null || cell === undefined ? '-' : String(cell))))
  const widths = head.map((_, i) => Math.max(...cells.map((row) => [...(row[i] ?? '')].length)))
  const line = (row: readonly string[]): string => row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ').trimEnd()
  const [first, ...rest] = cells
  return `${[bold(line(first!)), ...rest.map(line)].join('\n')}\n`
}

export function bold(text: string): string {
  return paint('bold', text)
}

export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: process.stdout })
}

export function age(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 120) return `${s} s`
  if (s < 7200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`
}
