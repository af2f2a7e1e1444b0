/**
 * Which accelerator QEMU shall use. That /dev/kvm opens proves nothing: inside some virtual machines it does, answers, even runs real
 * mode, and then hangs on a long-mode kernel. The processor must also say that it can virtualize.
 */
import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { invalid } from '#base/fault.ts'

export type Accelerator = 'kvm' | 'tcg'
export type AcceleratorSetting = 'auto' | Accelerator

export interface AcceleratorChoice {
  accelerator: Accelerator
  /** For people: why this one. */
  reason: string
}

/** What the choice rests on; a test gives its own. */
export interface AcceleratorEvidence {
  /** undefined when /dev/kvm opened read-write, else why not. */
  kvmRefusal: string | undefined
  cpuinfo: string
}

export async function chooseAccelerator(setting: AcceleratorSetting, evidence?: AcceleratorEvidence): Promise<AcceleratorChoice> {
  if (setting === 'tcg') return { accelerator: 'tcg', reason: 'the setting says tcg' }
  if (setting === 'kvm') return { accelerator: 'kvm', reason: 'the setting says kvm' }
  if (setting !== 'auto') throw invalid(`accelerator must be auto, kvm or tcg, not ${String(setting)}.`, { field: 'accelerator' })
  const { kvmRefusal, cpuinfo } = evidence ?? (await look())
  if (kvmRefusal !== undefined) return { accelerator: 'tcg', reason: `/dev/kvm cannot be opened for reading and writing (${kvmRefusal})` }
  const flag = virtualizationFlag(cpuinfo)
  if (!flag) return { accelerator: 'tcg', reason: '/dev/kvm opens, but /proc/cpuinfo has neither vmx nor svm: the processor cannot run guests' }
  return { accelerator: 'kvm', reason: `/dev/kvm opens and the processor has ${flag}` }
}

/** `vmx`, `svm`, or undefined. */
export function virtualizationFlag(cpuinfo: string): 'vmx' | 'svm' | undefined {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? []
  return flags.includes('vmx') ? 'vmx' : flags.includes('svm') ? 'svm' : undefined
}

async function look(): Promise<AcceleratorEvidence> {
  let kvmRefusal: string | undefined
  try {
    const handle = await open('/dev/kvm', constants.O_RDWR)
    await handle.close()
  } catch (thrown) {
    kvmRefusal = (thrown as NodeJS.ErrnoException).code ?? 'unknown'
  }
  return { kvmRefusal, cpuinfo: await readFile('/proc/cpuinfo', 'utf8').catch(() => '') }
}
