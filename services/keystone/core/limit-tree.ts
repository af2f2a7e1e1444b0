/** `strict_two_level`: a domain or top project bounds its children, and no child may have more than it. */
import { forbidden } from '#base/fault.ts'


/** `parent` is what the parent has (its own limit or the default), `children` what the children have been given. */
export function assertTwoLevel(limit: number, parent: number | undefined, children: readonly number[]): void {
  if (parent !== undefined && limit > parent) throw forbidden('Resource limit is bigger than the limit of its parent: the limit tree would be broken.')
  if (children.some((child) => child > limit)) throw forbidden('Resource limit is smaller than the limit of a child: the limit tree would be broken.')
}
