/** Korean and English. The texts of a language are loaded when it is used; a choice is remembered, else the browser decides. */
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import type en from './en.json'

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en }
  }
}

/** Each in its own words. */
export const LANGUAGES = { en: 'English', ko: '한국어' } as const
export type Language = keyof typeof LANGUAGES

const KEY = 'ondol.language'
const texts: Record<Language, () => Promise<{ default: object }>> = { en: () => import('./en.json'), ko: () => import('./ko.json') }

export async function startTexts(): Promise<void> {
  // React escapes what is shown.
  await i18next.use(initReactI18next).init({ resources: {}, interpolation: { escapeValue: false }, fallbackLng: false })
  await show(preferred())
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEY, language)
  await show(language)
}

async function show(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, 'translation')) i18next.addResourceBundle(language, 'translation', (await texts[language]()).default)
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
}

function preferred(): Language {
  for (const wish of [localStorage.getItem(KEY), ...navigator.languages]) {
    const language = wish?.split('-')[0]
    if (language !== undefined && language in LANGUAGES) return language as Language
  }
  return 'en'
}
