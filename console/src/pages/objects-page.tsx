/** What is in a container, a folder at a time. Where one is, what one looks for and what is opened stand in the address. */
import { Button, PageSection, Title, ToolbarItem } from '@patternfly/react-core'
import { CloudUploadAltIcon } from '@patternfly/react-icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { containerQuery } from '../api/containers.ts'
import { type Line, markerBefore, type ObjectsSearch, objectsQuery, shortName } from '../api/objects.ts'
import { quoted, storeKey } from '../api/object-store.ts'
import { to } from '../paths.ts'
import { useReadOnly } from '../session.ts'
import type { ChosenFile } from '../transfers/dropped-files.ts'
import { transfers, useFinished } from '../transfers/transfers.ts'
import { Empty, NothingFound } from '../ui/empty.tsx'
import { ListToolbar } from '../ui/list-toolbar.tsx'
import { ReadOnly } from '../ui/read-only.tsx'
import { ResourceTable } from '../ui/resource-table.tsx'
import type { MenuItem } from '../ui/row-menu.tsx'
import { ChosenBar } from './objects/chosen-bar.tsx'
import { columnsOf, type Row } from './objects/columns.tsx'
import { CopyDialog } from './objects/copy-dialog.tsx'
import { DeletedDialog } from './objects/deleted-dialog.tsx'
import { DropArea } from './objects/drop-area.tsx'
import { FolderDialog } from './objects/folder-dialog.tsx'
import { ObjectDetails } from './objects/object-details.tsx'
import { parentOf, Path } from './objects/path.tsx'
import { RemoveDialog } from './objects/remove-dialog.tsx'
import { ShareDialog } from './objects/share-dialog.tsx'
import { Chooser, UploadButtons } from './objects/upload-buttons.tsx'
import { useDownload } from './objects/use-download.ts'

const FROM = '/inside/projects/$project_id/containers/objects'

type Opened = { kind: 'folder' | 'deleted' } | { kind: 'share'; object: string; forDownload?: boolean } | { kind: 'copy' | 'move' | 'remove'; lines: Line[] }

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
  const readOnly = useReadOnly(project_id)
  const versions = useQuery(containerQuery(project_id, container)).data?.versions === 'on'
  const refresh = useCallback(async (): Promise<void> => {
    // A first answer under way, which may know nothing of what was just done, would else count as the refreshed one.
    await queryClient.cancelQueries({ queryKey: storeKey(project_id) })
    await queryClient.invalidateQueries({ queryKey: storeKey(project_id) })
  }, [queryClient, project_id])
  const download = useDownload(project_id, container, (name) => setOpened({ kind: 'share', object: name, forDownload: true }))
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
    if (finished > 0) void refresh()
  }, [finished, refresh])

  const rows = data?.lines.map((line): Row => ({ ...line, id: line.name }))
  const lines = rows?.filter(({ id }) => chosen.has(id)) ?? []
  const menuOf = (line: Line): MenuItem[] => {
    const forAll = (['copy', 'move', 'remove'] as const).map((kind) => ({ label: t(`objects.${kind}`), danger: kind === 'remove', onClick: () => setOpened({ kind, lines: [line] }) }))
    const changes = readOnly ? [] : forAll
    if (line.kind === 'folder') return changes
    const { object: one, name } = line
    return [
      { label: t('objects.details'), onClick: () => show({ object: name, marker: search.marker }) },
      { label: t('objects.download'), onClick: () => void download(one) },
      ...(readOnly ? [] : [{ label: t('objects.share'), onClick: () => setOpened({ kind: 'share', object: name }) }]),
      ...changes,
    ]
  }

  return (
    <DropArea onFiles={upload} disabled={readOnly}>
      <PageSection hasBodyWrapper={false}>
        <Path projectId={project_id} container={container} folder={folder} />
        <Title headingLevel="h1" className="guest-text">
          {folder === '' ? container : shortName(folder, parentOf(folder))}
        </Title>
        {readOnly && <ReadOnly />}
        <ListToolbar
          key={`${folder} ${search.find ?? ''}`}
          label={t('objects.find')}
          name={search.find}
          actions={
            <>
              {!readOnly && <UploadButtons onFiles={upload} />}
              {!readOnly && (
                <ToolbarItem>
                  <Button variant="secondary" onClick={() => setOpened({ kind: 'folder' })}>
                    {t('objects.make_folder')}
                  </Button>
                </ToolbarItem>
              )}
              {versions && !readOnly && (
                <ToolbarItem>
                  <Button variant="secondary" onClick={() => setOpened({ kind: 'deleted' })}>
                    {t('objects.deleted')}
                  </Button>
                </ToolbarItem>
              )}
            </>
          }
          onFind={(find) => show({ find })}
          updatedAt={dataUpdatedAt}
          onRefresh={() => void refresh()}
          onFirst={search.marker ? () => show({}) : undefined}
          onPrevious={search.marker && data?.lines[0] ? () => void markerBefore(project_id, search, data.lines[0]!.name).then((marker) => show({ marker })) : undefined}
          onNext={data?.next ? () => show({ marker: data.next }) : undefined}
        />
        <ChosenBar lines={lines} readOnly={readOnly} onDownload={() => lines.forEach((line) => line.kind === 'object' && void download(line.object))} onOpen={(kind) => setOpened({ kind, lines })} onClear={() => setChosen(new Set())} />
        <ResourceTable
          label={t('objects.list_of', { name: folder || container })}
          columns={columnsOf(t, project_id, search, menuOf)}
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
                body={t(readOnly ? 'read_only.title' : 'objects.none_body')}
                action={!readOnly && <Chooser label={t('objects.choose_files')} folder={false} onFiles={upload} />}
                command={`openstack object create ${shellWord(container)} FILE`}
              />
            )
          }
        />
        {object !== undefined && (
          <ObjectDetails
            projectId={project_id}
            container={container}
            object={object}
            onDownload={(one) => void download(one)}
            onShare={() => (show({ object: undefined, marker: search.marker }), setOpened({ kind: 'share', object }))}
            onClose={() => (show({ object: undefined, marker: search.marker }), void refresh())}
          />
        )}
        {opened?.kind === 'folder' && <FolderDialog projectId={project_id} container={container} folder={folder} onClose={close} />}
        {(opened?.kind === 'copy' || opened?.kind === 'move') && <CopyDialog kind={opened.kind} projectId={project_id} container={container} folder={folder} lines={opened.lines} onClose={close} />}
        {opened?.kind === 'deleted' && <DeletedDialog projectId={project_id} container={container} folder={folder} onClose={close} />}
        {opened?.kind === 'share' && <ShareDialog projectId={project_id} container={container} object={opened.object} forDownload={opened.forDownload ?? false} onClose={() => setOpened(undefined)} />}
        {opened?.kind === 'remove' && <RemoveDialog projectId={project_id} container={container} folder={folder} lines={opened.lines} onClose={close} />}
      </PageSection>
    </DropArea>
  )
}

/** What is copied into a shell stays one word there. */
const shellWord = (text: string): string => (quoted(text) === text ? text : `'${text.replaceAll("'", `'\\''`)}'`)
