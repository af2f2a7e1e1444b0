/** The operators of extra specs: `>= 2`, `s== x`, `<in> x`, `<all-in> a b`, `<or> a <or> b`; without one, equality. */
export function specHolds(value: string, wanted: string): boolean {
  const words = wanted.trim().split(/\s+/)
  const [operator, ...rest] = words
  const operand = rest.join(' ')
  switch (operator) {
    case '=':
    case '>=':
      return Number(value) >= Number(operand)
    case '==':
      return Number(value) === Number(operand)
    case '!=':
      return Number(value) !== Number(operand)
    case '<=':
      return Number(value) <= Number(operand)
    case 's==':
      return value === operand
    case 's!=':
      return value !== operand
    case 's<':
      return value < operand
    case 's<=':
      return value <= operand
    case 's>':
      return value > operand
    case 's>=':
      return value >= operand
    case '<in>':
      return value.includes(operand)
    case '<all-in>':
      return rest.every((one) => value.includes(one))
    case '<or>':
      return wanted.split('<or>').map((one) => one.trim()).filter(Boolean).includes(value)
    default:
      return value === wanted
  }
}
