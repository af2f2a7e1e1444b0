/** A size in the reader's language: 1.5 MiB. */
import { useTranslation } from 'react-i18next'
import { localeOf } from './time.tsx'

export function Bytes({ of }: { of: number }) {
  const { i18n } = useTranslation()
  return <span className="size">{bytesText(of, i18n.language)}</span>
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

export function bytesText(bytes: number, language: string): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1)
  return `${new Intl.NumberFormat(localeOf(language), { maximumFractionDigits: power === 0 ? 0 : 1 }).format(bytes / 1024 ** power)} ${UNITS[power]}`
}
