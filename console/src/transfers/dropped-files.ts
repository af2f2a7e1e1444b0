/** What was chosen or dropped, as files with their paths: folders with all that is in them. */

import { FOLDER_TYPE } from '../api/objects.ts'

export interface ChosenFile {
  file: File
  /** With slashes; Hangul composed, as everyone but macOS writes it. */
  name: string
}

export function chosenFiles(list: FileList): ChosenFile[] {
  return Array.from(list, (file) => ({ file, name: composed(file.webkitRelativePath || file.name) }))
}

/** Must be called while the drop is handled; what was dropped is not there any more afterwards. */
export function droppedFiles(transfer: DataTransfer): Promise<ChosenFile[]> {
  const entries = Array.from(transfer.items, (item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null)).filter((entry) => entry !== null)
  if (entries.length === 0) return Promise.resolve(chosenFiles(transfer.files))
  return Promise.all(entries.map((entry) => filesIn(entry))).then((found) => found.flat())
}

async function filesIn(entry: FileSystemEntry): Promise<ChosenFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    return [{ file, name: composed(entry.fullPath.replace(/^\//, '')) }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: ChosenFile[] = []
  for (;;) {
    // A part at a time, until there is none left.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    // An empty folder is kept by an object of its name.
    if (part.length === 0) return found.length > 0 ? found : [{ file: new File([], '', { type: FOLDER_TYPE }), name: `${composed(entry.fullPath.replace(/^\//, ''))}/` }]
    for (const inner of part) found.push(...(await filesIn(inner)))
  }
}

const composed = (name: string): string => name.normalize('NFC').toWellFormed()
