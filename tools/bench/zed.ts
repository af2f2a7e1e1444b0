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

/** Swift's own processes for objects, one replica, every object synced: `c1` is one at a time, `c16` sixteen. */
export const ZED_OBJECTS: Readonly<Record<string, number>> = {
  'put 1KiB c1': 11.3, 'get 1KiB c1': 5.07, 'put 1KiB c16': 7.57, 'get 1KiB c16': 3.4,
  'put 64KiB c1': 13.9, 'get 64KiB c1': 5.9, 'put 64KiB c16': 8.1, 'get 64KiB c16': 3.88,
  'put 16MiB c1': 56.7, 'get 16MiB c1': 71.7, 'put 16MiB c16': 54.6, 'get 16MiB c16': 67.5,
  'listing 10000 json': 168, 'listing 10000 plain': 137,
}
