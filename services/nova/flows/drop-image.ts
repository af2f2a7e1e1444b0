/** drop-image: the image of a shelved server that is back, when nobody waits for it. One that its owner protected or uses stays. */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { Nova } from '../house.ts'
import { dropImage } from './snapshot-server.ts'

export const dropImageFlow = (nova: Nova): Flow<{ image_id: string }> =>
  defineFlow<{ image_id: string }>('drop-image', { deadline: nova.config.action_deadline }, (f, { image_id }) =>
    f.must('drop', () =>
      dropImage(nova, image_id).catch((thrown: unknown) => {
        if (!isFault(thrown, 'forbidden') && !isFault(thrown, 'conflict')) throw thrown
        nova.world.log.module('nova.shelve').warn('Left the image of a shelved server', { image_id, error: thrown })
      }),
    ),
  )
