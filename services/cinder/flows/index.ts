/** Every flow of this house, made once. */
import type { Cinder } from '../house.ts'
import { createBackup, deleteBackup, restoreBackup } from './backups.ts'
import { createVolume } from './create-volume.ts'
import { deleteVolume } from './delete-volume.ts'
import { extendVolume } from './extend-volume.ts'
import { cloneGroup, createGroup, createGroupSnapshot, deleteGroup, deleteGroupSnapshot } from './groups.ts'
import { manageVolume, unmanageVolume } from './managing.ts'
import { migrateVolume, retypeVolume } from './move-volume.ts'
import { createSnapshot, deleteSnapshot, revertVolume } from './snapshots.ts'
import { reimageVolume, uploadImage } from './volume-images.ts'

export const flowsOf = (house: Cinder) => ({
  createVolume: createVolume(house),
  deleteVolume: deleteVolume(house),
  extendVolume: extendVolume(house),
  createSnapshot: createSnapshot(house),
  deleteSnapshot: deleteSnapshot(house),
  revertVolume: revertVolume(house),
  uploadImage: uploadImage(house),
  reimageVolume: reimageVolume(house),
  retypeVolume: retypeVolume(house),
  migrateVolume: migrateVolume(house),
  manageVolume: manageVolume(house),
  unmanageVolume: unmanageVolume(house),
  createBackup: createBackup(house),
  restoreBackup: restoreBackup(house),
  deleteBackup: deleteBackup(house),
  createGroup: createGroup(house),
  cloneGroup: cloneGroup(house),
  deleteGroup: deleteGroup(house),
  createGroupSnapshot: createGroupSnapshot(house),
  deleteGroupSnapshot: deleteGroupSnapshot(house),
})

export type Flows = ReturnType<typeof flowsOf>
