/** What is in a container, a folder at a time. Where one is, what one looks for and what is opened stand in the address. */
import { Breadcrumb, BreadcrumbItem, Button, PageSection, Title, ToolbarItem } from '@patternfly/react-core'
import { CloudUploadAltIcon, FileIcon, FolderIcon } from '@patternfly/react-icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Line, type ObjectsSearch, objectsQuery, shortName, type StoredObject } from '../api/objects.ts'
import { quoted, storeKey } from '../api/object-store.ts'
import { to } from '../paths.ts'
import type { ChosenFile } from '../transfers/dropped-files.ts'
import { transfers, useFinished } from '../transfers/transfers.ts'
import { Bytes } from '../ui/bytes.tsx'
import { Empty, NothingFound } from '../ui/empty.tsx'
import { ListToolbar } from '../ui/list-toolbar.tsx'
import { type Column, ResourceTable } from '../ui/resource-table.tsx'
import { RowMenu } from '../ui/row-menu.tsx'
import { Time } from '../ui/time.tsx'
import { CopyDialog } from './objects/copy-dialog.tsx'
import { DropArea } from './objects/drop-area.tsx'
import { FolderDialog } from './objects/folder-dialog.tsx'
import { ObjectDetails } from './objects/object-details.tsx'
import { RemoveDialog } from './objects/remove-dialog.tsx'
import { ShareDialog } from './objects/share-dialog.tsx'
import { Chooser, UploadButtons } from './objects/upload-buttons.tsx'
import { useDownload } from './objects/use-download.ts'

const FROM = '/inside/projects/$project_id/containers/objects'

type Row = Line & { id: string }
type Opened = { kind: 'folder' } | { kind: 'copy' | 'move'; object: StoredObject } | { kind: 'share'; object: string } | { kind: 'remove'; lines: Line[] }

export function ObjectsPage() {
  const { t } = useTranslation()
  const { project_id } = useParams({ from: FROM })
  const search = useSearch({ from: FROM })
  const { container, folder = '', object } = search
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [opened, setOpened] = useState<Opened>()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const { data, error, dataUpdatedAt, refetch } = useQuery(objectsQuery(project_id, search))
  const finished = useFinished()
  const refresh = (): Promise<void> => queryClient.invalidateQueries({ queryKey: storeKey(project_id) })
  const download = useDownload(project_id, container, (name) => setOpened({ kind: 'share', object: name }))
  const show = (change: { [Key in keyof ObjectsSearch]?: ObjectsSearch[Key] | undefined }): void => {
    const { marker: _, ...kept } = search
    const next = Object.fromEntries(Object.entries({ ...kept, ...change }).filter(([, value]) => value !== undefined && value !== ''))
    void navigate({ ...to.objects(project_id, { container }), search: next as unknown as ObjectsSearch })
  }
  const close = (): void => {
    setOpened(undefined)
    setChosen(new Set())
    void refresh()
  }
  const upload = (files: ChosenFile[]): void => transfers.upload({ projectId: project_id, container }, files.map(({ file, name }) => ({ file, name: folder + name })))
  useEffect(() => {
    document.title = `${folder || container} · ${t('brand')}`
  }, [t, container, folder])
  useEffect(() => setChosen(new Set()), [container, folder, search.find, search.marker])
  useEffect(() => {
    if (finished > 0) void queryClient.invalidateQueries({ queryKey: storeKey(project_id) })
  }, [finished, project_id, queryClient])

  const rows = data?.lines.map((line): Row => ({ ...line, id: line.name }))
  const lines = rows?.filter(({ id }) => chosen.has(id)) ?? []
  const menuOf = (line: Line) => {
    const remove = { label: t('objects.remove'), danger: true, onClick: () => setOpened({ kind: 'remove', lines: [line] }) }
    if (line.kind === 'folder') return [remove]
    const { object: one, name } = line
    return [
      { label: t('objects.details'), onClick: () => show({ object: name, marker: search.marker }) },
      { label: t('objects.download'), onClick: () => void download(one) },
      { label: t('objects.share'), onClick: () => setOpened({ kind: 'share', object: name }) },
      { label: t('objects.copy'), onClick: () => setOpened({ kind: 'copy', object: one }) },
      { label: t('objects.move'), onClick: () => setOpened({ kind: 'move', object: one }) },
      remove,
    ]
  }
  const columns: Column<Row>[] = [
    {
      title: t('objects.name'),
      width: 40,
      cell: (line) => (
        <span className="named">
          {line.kind === 'folder' ? <FolderIcon /> : <FileIcon />}
          <Link {...to.objects(project_id, { container })} search={line.kind === 'folder' ? { container, folder: line.name } : { ...search, object: line.name }} className="guest-text">
            {shortName(line.name, folder)}
            {line.kind === 'folder' && <span aria-hidden="true">/</span>}
          </Link>
        </span>
      ),
    },
    { title: t('objects.size'), cell: (line) => (line.kind === 'object' ? <Bytes of={line.object.bytes} /> : <span className="quiet">{t('objects.folder')}</span>) },
    { title: t('objects.type'), cell: (line) => line.kind === 'object' && <span className="guest-text">{line.object.content_type}</span> },
    { title: t('objects.changed'), cell: (line) => line.kind === 'object' && <Time at={line.object.last_modified} /> },
    { title: t('list.actions'), quiet: true, cell: (line) => <RowMenu name={line.name} items={menuOf(line)} /> },
  ]

  return (
    <DropArea onFiles={upload}>
      <PageSection hasBodyWrapper={false}>
        <Path projectId={project_id} container={container} folder={folder} />
        <Title headingLevel="h1" className="guest-text">
          {folder === '' ? container : shortName(folder, parentOf(folder))}
        </Title>
        <ListToolbar
          key={`${folder} ${search.find ?? ''}`}
          label={t('objects.find')}
          name={search.find}
          actions={
            <>
              <UploadButtons onFiles={upload} />
              <ToolbarItem>
                <Button variant="secondary" onClick={() => setOpened({ kind: 'folder' })}>
                  {t('objects.make_folder')}
                </Button>
              </ToolbarItem>
              <ToolbarItem>
                <Button variant="secondary" isDanger isDisabled={lines.length === 0} onClick={() => setOpened({ kind: 'remove', lines })}>
                  {t('objects.remove_chosen', { n: lines.length })}
                </Button>
              </ToolbarItem>
            </>
          }
          onFind={(find) => show({ find })}
          updatedAt={dataUpdatedAt}
          onRefresh={() => void refresh()}
          onFirst={search.marker ? () => show({}) : undefined}
          onNext={data?.next ? () => show({ marker: data.next }) : undefined}
        />
        <ResourceTable
          label={t('objects.list_of', { name: folder || container })}
          columns={columns}
          rows={rows}
          error={error}
          retry={() => void refetch()}
          missing={t('objects.no_container')}
          choice={{ chosen, onChoose: setChosen, nameOf: ({ name }) => name }}
          empty={
            search.find || search.marker ? (
              <NothingFound body={t('list.nothing_begins', { name: search.find ?? '' })} />
            ) : (
              <Empty
                icon={CloudUploadAltIcon}
                title={t(folder === '' ? 'objects.none' : 'objects.none_in_folder')}
                body={t('objects.none_body')}
                action={<Chooser label={t('objects.choose_files')} folder={false} onFiles={upload} />}
                command={`openstack object create ${shellWord(container)} FILE`}
              />
            )
          }
        />
        {object !== undefined && <ObjectDetails projectId={project_id} container={container} object={object} onClose={() => (show({ object: undefined, marker: search.marker }), void refresh())} />}
        {opened?.kind === 'folder' && <FolderDialog projectId={project_id} container={container} folder={folder} onClose={close} />}
        {(opened?.kind === 'copy' || opened?.kind === 'move') && <CopyDialog kind={opened.kind} projectId={project_id} container={container} object={opened.object} onClose={close} />}
        {opened?.kind === 'share' && <ShareDialog projectId={project_id} container={container} object={opened.object} onClose={() => setOpened(undefined)} />}
        {opened?.kind === 'remove' && <RemoveDialog projectId={project_id} container={container} folder={folder} lines={opened.lines} onClose={close} />}
      </PageSection>
    </DropArea>
  )
}

const parentOf = (folder: string): string => folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1)

function Path({ projectId, container, folder }: { projectId: string; container: string; folder: string }) {
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

/** What is copied into a shell stays one word there. */
const shellWord = (text: string): string => (quoted(text) === text ? text : `'${text.replaceAll("'", `'\\''`)}'`)
