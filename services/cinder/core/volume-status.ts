/** What attachments make of a volume: the volume's status follows from them, never the other way round. */
/** Status and attach status of a volume that nothing but its attachments holds. */
export function heldBy(attachments: readonly { attach_status: string }[]): { status: string; attach_status: string } {
  const has = (status: string): boolean => attachments.some((one) => one.attach_status === status)
  if (has('attached')) return { status: 'in-use', attach_status: 'attached' }
  if (has('attaching')) return { status: 'attaching', attach_status: 'attaching' }
  if (has('reserved')) return { status: 'reserved', attach_status: 'reserved' }
  if (has('error_attaching') || has('error_detaching')) return { status: 'in-use', attach_status: 'attached' }
  return { status: 'available', attach_status: 'detached' }
}
