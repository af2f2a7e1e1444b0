/** What follows from a text alone, remembered for those seen last: many rows carry the same snapshot, and one row is read many times. */

const MOST = 2_000

export function remembered<Value>(make: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, Value>()
  return (text) => {
    let value = known.get(text)
    if (value === undefined) {
      if (known.size >= MOST) known.clear()
      value = make(text)
      known.set(text, value)
    }
    return value
  }
}
