/**
 * What the real OpenStack Zed needed on two virtual cores (AMD EPYC), from Debian 12's packages with its fake drivers, MariaDB and RabbitMQ:
 * milliseconds of CPU time of every process of the cloud per operation.
 */
export const ZED_CPU_MS: Readonly<Record<string, number>> = {
  'token validate': 9.45,
  'token issue': 182,
  'flavors detail': 7.33,
  'server get': 81.5,
  'network list': 35.7,
  'image show': 3.83,
  'server create to ACTIVE and delete': 2257,
  'servers detail 1000': 1709,
  'ports list 1000': 558,
  'network subnet port cycle': 775,
  'image upload 64 MiB': 430,
  'image download 64 MiB': 31,
  'volume create to available and delete': 267,
  'placement candidates': 16.9,
}
