/** Every language in its own words. */
import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'
import { chooseLanguage, type Language, LANGUAGES } from '../text/language.ts'

export function LanguageSwitch() {
  const { t, i18n } = useTranslation()
  return (
    <ToggleGroup isCompact aria-label={t('shell.language')}>
      {(Object.entries(LANGUAGES) as [Language, string][]).map(([language, name]) => (
        <ToggleGroupItem key={language} text={<span lang={language}>{name}</span>} buttonId={`language-${language}`} isSelected={i18n.language === language} onChange={() => void chooseLanguage(language)} />
      ))}
    </ToggleGroup>
  )
}
