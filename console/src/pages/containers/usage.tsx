/** What the project has in the store, and how much of it it may have. */
import { Progress } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usageQuery } from '../../api/containers.ts'
import { bytesText } from '../../ui/bytes.tsx'

export function Usage({ projectId }: { projectId: string }) {
  const { t, i18n } = useTranslation()
  const { data } = useQuery(usageQuery(projectId))
  if (!data || (data.containers === 0 && data.quota === undefined)) return null
  const number = (value: number): string => new Intl.NumberFormat(i18n.language).format(value)
  const used = { bytes: bytesText(data.bytes, i18n.language), objects: number(data.objects), containers: number(data.containers) }
  const full = data.quota !== undefined && data.quota > 0 ? Math.min(100, Math.floor((data.bytes / data.quota) * 100)) : data.quota === 0 ? 100 : undefined
  return (
    <div className="usage">
      <span>{t('containers.used', used)}</span>
      {full !== undefined && (
        <Progress size="sm" aria-label={t('containers.quota_of', { size: bytesText(data.quota!, i18n.language) })} value={full} measureLocation="outside" {...(full >= 95 ? { variant: 'danger' } : full >= 80 ? { variant: 'warning' } : {})} />
      )}
      {full !== undefined && <span className="quiet">{t('containers.quota_of', { size: bytesText(data.quota!, i18n.language) })}</span>}
    </div>
  )
}
