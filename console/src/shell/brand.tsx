import { useTranslation } from 'react-i18next'
import { BASE } from '../paths.ts'

export function Brand() {
  const { t } = useTranslation()
  return (
    <span className="brand">
      <img src={`${BASE}/mark.svg`} alt="" />
      {t('brand')}
    </span>
  )
}
