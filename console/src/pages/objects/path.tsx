/** The way to where one is: the containers, the container, its folders. */
import { Breadcrumb, BreadcrumbItem } from '@patternfly/react-core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { to } from '../../paths.ts'

export const parentOf = (folder: string): string => folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1)

export function Path({ projectId, container, folder }: { projectId: string; container: string; folder: string }) {
  const { t } = useTranslation()
  const parts = folder.split('/').slice(0, -1)
  const steps = parts.map((part, index) => ({ label: part === '' ? '/' : part, folder: `${parts.slice(0, index + 1).join('/')}/` }))
  const step = (label: string, at: string) => (
    <BreadcrumbItem key={at} isActive={at === folder}>
      {at === folder ? (
        <span className="guest-text">{label}</span>
      ) : (
        <Link {...to.objects(projectId, { container, ...(at === '' ? {} : { folder: at }) })} className="guest-text">
          {label}
        </Link>
      )}
    </BreadcrumbItem>
  )
  return (
    <Breadcrumb aria-label={t('objects.path')}>
      <BreadcrumbItem>
        <Link {...to.containers(projectId)}>{t('containers.title')}</Link>
      </BreadcrumbItem>
      {step(container, '')}
      {steps.map(({ label, folder: at }) => step(label, at))}
    </Breadcrumb>
  )
}
