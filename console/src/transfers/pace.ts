/** How fast bytes go, over the last seconds, and how long the rest will take. */
const SPAN = 6000

export interface Pace {
  /** Bytes a second; undefined before there is anything to judge by. */
  measure(now: number, moved: number): number | undefined
}

export function pace(): Pace {
  let samples: { now: number; moved: number }[] = []
  return {
    measure(now, moved) {
      // What is tried again is sent again: that is no negative pace.
      if (samples.length > 0 && moved < samples.at(-1)!.moved) samples = []
      if (samples.length === 0 || now - samples.at(-1)!.now >= 250) samples.push({ now, moved })
      samples = samples.filter((one, index) => now - one.now <= SPAN || index === samples.length - 1)
      const first = samples[0]!
      return now - first.now < 1000 ? undefined : ((moved - first.moved) * 1000) / (now - first.now)
    },
  }
}

/** In the reader's words, roughly: 40 seconds, 12 minutes, 3 hours. */
export function timeText(seconds: number, language: string): string {
  const [unit, value] = seconds < 90 ? (['second', Math.max(1, Math.ceil(seconds))] as const) : seconds < 5400 ? (['minute', Math.round(seconds / 60)] as const) : (['hour', Math.round(seconds / 3600)] as const)
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}
