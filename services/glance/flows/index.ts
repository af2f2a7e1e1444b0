/** Every flow of this house, made once. */
import type { Glance } from '../house.ts'
import { importImage } from './import-image.ts'

export const flowsOf = (house: Glance) => ({ importImage: importImage(house) })

export type Flows = ReturnType<typeof flowsOf>
