import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { removeServer, type Server } from '../../api/compute.ts'
import { Dialog } from '../../ui/dialog.tsx'

export function RemoveServer({ projectId, server, onClose }: { projectId: string; server: Server; onClose: () => void }) {
  const { t } = useTranslation()
  const remove = useMutation({ mutationFn: () => removeServer(projectId, server.id), onSuccess: onClose })
  return (
    <Dialog
      title={t('servers.remove_title', { name: server.name })}
      description={t('servers.remove_body')}
      danger
      action={t('servers.remove')}
      working={remove.isPending}
      failed={{ title: t('servers.remove_failed'), error: remove.error }}
      onSubmit={() => remove.mutate()}
      onClose={onClose}
    />
  )
}
