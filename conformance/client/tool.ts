/** A program of the machine, run in a folder with an environment of its own. */
import { spawn } from 'node:child_process'

export interface ToolPlace {
  cwd: string
  env: Record<string, string>
}

/** What it printed. With `fails` it must end badly, and what it complained of is the answer. */
export function runTool({ cwd, env }: ToolPlace, tool: string, args: readonly string[], fails = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)))
    child.on('error', reject)
    child.on('close', (code) => ((code === 0) === fails ? reject(new Error(`${tool} ${args.join(' ')} ended with ${code}: ${out}${err}`)) : resolve(fails ? err : out)))
  })
}
