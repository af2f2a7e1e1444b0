/** A page on which files may be dropped. Who uses no mouse has the buttons. */
import { type DragEvent, type ReactNode, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type ChosenFile, droppedFiles } from '../../transfers/dropped-files.ts'

export function DropArea({ onFiles, disabled = false, children }: { onFiles: (files: ChosenFile[]) => void; disabled?: boolean; children: ReactNode }) {
  const { t } = useTranslation()
  const [over, setOver] = useState(false)
  /** Entering a part comes before leaving its parent. */
  const depth = useRef(0)
  const files = ({ dataTransfer }: DragEvent): boolean => !disabled && dataTransfer.types.includes('Files')
  const leave = (): void => {
    depth.current = 0
    setOver(false)
  }
  return (
    <div
      className={over ? 'drop-area over' : 'drop-area'}
      onDragEnter={(event) => {
        if (!files(event)) return
        event.preventDefault()
        depth.current++
        setOver(true)
      }}
      onDragOver={(event) => files(event) && event.preventDefault()}
      onDragLeave={() => --depth.current <= 0 && leave()}
      onDrop={(event) => {
        if (!files(event)) return
        event.preventDefault()
        leave()
        void droppedFiles(event.dataTransfer).then(onFiles)
      }}
    >
      {children}
      {over && (
        <div className="drop-hint" aria-hidden="true">
          {t('objects.drop_here')}
        </div>
      )}
    </div>
  )
}
