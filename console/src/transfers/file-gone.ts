/** What was chosen has changed since then, or is not there any more: browsers then do not read it. */
export class FileGone extends Error {
  constructor() {
    super('')
  }
}
