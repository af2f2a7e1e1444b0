/** A small picture or the beginning of a text. What it is shown as is decided here, never by the object: no markup, no script. */
import { CodeBlock, CodeBlockCode, Skeleton } from '@patternfly/react-core'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { ask, storeKey } from '../../api/object-store.ts'
import { Failure } from '../../ui/failure.tsx'

/** Bytes. */
const MOST_IMAGE = 4 * 2 ** 20
const MOST_TEXT = 64 * 2 ** 10

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp']
const TEXTS = /^text\/|[/+](json|xml|yaml|x-yaml|toml|javascript|x-sh|x-shellscript|sql)$/

interface Previewed {
  projectId: string
  container: string
  object: string
  type: string
  bytes: number
  etag: string
}

export function kindOf(type: string, bytes: number): 'image' | 'text' | undefined {
  const bare = type.split(';')[0]!.trim().toLowerCase()
  if (bytes === 0) return undefined
  if (IMAGES.includes(bare)) return bytes <= MOST_IMAGE ? 'image' : undefined
  return TEXTS.test(bare) ? 'text' : undefined
}

const previewQuery = ({ projectId, container, object, type, bytes, etag }: Previewed, kind: 'image' | 'text') =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'preview', container, object, etag],
    queryFn: async ({ signal }): Promise<string> => {
      const response = await ask(projectId, 'GET', { container, object, signal, ...(kind === 'text' && bytes > MOST_TEXT ? { headers: { range: `bytes=0-${MOST_TEXT - 1}` } } : {}) })
      return kind === 'text' ? new TextDecoder().decode(await response.arrayBuffer()) : dataUrl(new Blob([await response.arrayBuffer()], { type: type.split(';')[0]!.trim() }))
    },
    gcTime: 60_000,
  })

export function Preview(props: Previewed) {
  const kind = kindOf(props.type, props.bytes)
  return kind ? <Loaded {...props} kind={kind} /> : null
}

function Loaded({ kind, ...props }: Previewed & { kind: 'image' | 'text' }) {
  const { t } = useTranslation()
  const { data, error } = useQuery(previewQuery(props, kind))
  if (error) return <Failure title={t('objects.preview_failed')} error={error} />
  if (data === undefined) return <Skeleton height="6rem" screenreaderText={t('list.loading')} />
  if (kind === 'image') return <img className="preview" src={data} alt={t('objects.preview_of', { name: props.object })} />
  return (
    <>
      <CodeBlock className="preview" role="region" tabIndex={0} aria-label={t('objects.preview_of', { name: props.object })}>
        <CodeBlockCode>{data}</CodeBlockCode>
      </CodeBlock>
      {props.bytes > MOST_TEXT && <p className="quiet">{t('objects.preview_cut')}</p>}
    </>
  )
}

/** The policy of this page takes pictures from its origin and from `data:` alone. */
function dataUrl(content: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error ?? new Error('The picture could not be read.'))
    reader.readAsDataURL(content)
  })
}
