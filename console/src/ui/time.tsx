/** An instant of the wire (ISO 8601, UTC) in the reader's language and zone. */
import { useTranslation } from 'react-i18next'

export function Time({ at }: { at: string }) {
  const { i18n } = useTranslation()
  const date = new Date(/[Zz]|[+-]\d\d:?\d\d$/.test(at) ? at : `${at}Z`)
  if (Number.isNaN(date.getTime())) return <>{at}</>
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {new Intl.DateTimeFormat(localeOf(i18n.language), { dateStyle: 'medium', timeStyle: 'short' }).format(date)}
    </time>
  )
}

/** The reader's own country where the browser tells one for this language: days stand before months in London. */
export const localeOf = (language: string): string => navigator.languages.find((wish) => wish.split('-')[0] === language) ?? language
