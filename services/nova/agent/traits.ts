/** What a driver can do, in Placement's words. */
import type { ComputeDriver } from '#nova/drivers/interface.ts'

export function traitsOf(driver: ComputeDriver): string[] {
  const traits = ['COMPUTE_NODE', 'COMPUTE_DEVICE_TAGGING', 'COMPUTE_IMAGE_TYPE_RAW', 'COMPUTE_IMAGE_TYPE_QCOW2', 'COMPUTE_IMAGE_TYPE_VMDK', 'COMPUTE_IMAGE_TYPE_ISO', 'COMPUTE_IMAGE_TYPE_AKI', 'COMPUTE_IMAGE_TYPE_ARI', 'COMPUTE_IMAGE_TYPE_AMI']
  if (driver.volumeAttachable) traits.push('COMPUTE_VOLUME_ATTACH_WITH_TAG', 'COMPUTE_VOLUME_EXTEND', 'COMPUTE_VOLUME_MULTI_ATTACH')
  if (driver.nicAttachable) traits.push('COMPUTE_NET_ATTACH_INTERFACE', 'COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG')
  if (driver.rescuable) traits.push('COMPUTE_RESCUE_BFV')
  if (driver.resizable) traits.push('COMPUTE_SAME_HOST_COLD_MIGRATE')
  return traits
}
