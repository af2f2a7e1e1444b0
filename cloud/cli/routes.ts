/** `ondol routes`: what the houses declare, without starting any. */
import { declaredRoutes } from '../declared.ts'
import { table } from './table.ts'

export async function routes(options: { json?: boolean; service?: string }): Promise<void> {
  const lines = (await declaredRoutes()).filter((line) => !options.service || line.service === options.service)
  if (options.json) process.stdout.write(`${JSON.stringify(lines, null, 1)}\n`)
  else process.stdout.write(table(['SERVICE', 'METHOD', 'PATH', 'ACTION'], lines.map((line) => [line.service, line.method, line.path, line.action ?? ''])))
}
