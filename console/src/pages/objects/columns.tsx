/** What the list of a folder shows of each line. */
import { FileIcon, FolderIcon } from '@patternfly/react-icons'
import { Link } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { type Line, type ObjectsSearch, shortName } from '../../api/objects.ts'
import { to } from '../../paths.ts'
import { Bytes } from '../../ui/bytes.tsx'
import type { Column } from '../../ui/resource-table.tsx'
import { type MenuItem, RowMenu } from '../../ui/row-menu.tsx'
import { Time } from '../../ui/time.tsx'

export type Row = Line & { id: string }

export function columnsOf(t: TFunction, projectId: string, search: ObjectsSearch, menuOf: (line: Line) => MenuItem[]): Column<Row>[] {
  const { container, folder = '' } = search
  return [
    {
      title: t('objects.name'),
      width: 40,
      cell: (line) => (
        <span className="named">
          {line.kind === 'folder' ? <FolderIcon /> : <FileIcon />}
          <Link {...to.objects(projectId, { container })} search={line.kind === 'folder' ? { container, folder: line.name } : { ...search, object: line.name }} className="guest-text" title={line.name}>
            {shortName(line.name, folder)}
            {line.kind === 'folder' && <span aria-hidden="true">/</span>}
          </Link>
        </span>
      ),
    },
    { title: t('objects.size'), cell: (line) => (line.kind === 'object' ? <Bytes of={line.object.bytes} /> : <span className="quiet">{t('objects.folder')}</span>) },
    { title: t('objects.type'), cell: (line) => line.kind === 'object' && <span className="guest-text">{line.object.content_type}</span> },
    { title: t('objects.changed'), cell: (line) => line.kind === 'object' && <Time at={line.object.last_modified} /> },
    { title: t('list.actions'), quiet: true, cell: (line) => menuOf(line).length > 0 && <RowMenu name={line.name} items={menuOf(line)} /> },
  ]
}
