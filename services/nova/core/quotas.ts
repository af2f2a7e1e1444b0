/** Whether what is asked for still fits, and how Nova says that it does not. */
import { Fault } from '#base/fault.ts'

export interface QuotaLine {
  name: string
  asked: number
  used: number
  limit: number
}

export function assertWithin(lines: readonly QuotaLine[]): void {
  const over = lines.filter(({ asked, used, limit }) => limit >= 0 && asked > 0 && used + asked > limit)
  if (over.length === 0) return
  const all = (pick: (line: QuotaLine) => string | number): string => over.map(pick).join(', ')
  throw new Fault('over_quota', `Quota exceeded for ${all((one) => one.name)}: Requested ${all((one) => one.asked)}, but already used ${all((one) => one.used)} of ${all((one) => one.limit)} ${all((one) => one.name)}`, {
    code: 'nova.over_quota',
    data: { lines: over },
  })
}
