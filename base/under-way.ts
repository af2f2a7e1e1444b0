/** How much is under way that takes real time, whatever the World's clock says: questions to a database over a socket. A virtual clock waits for it. */
let count = 0

export const anythingUnderWay = (): boolean => count > 0

export async function underWay<T>(work: () => Promise<T>): Promise<T> {
  count++
  try {
    return await work()
  } finally {
    count--
  }
}
