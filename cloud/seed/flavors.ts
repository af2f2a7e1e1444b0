/** The flavors of a fresh cloud. `ram` in MiB, `disk` in GiB. */
export const FLAVORS = [
  { id: '42', name: 'm1.nano', vcpus: 1, ram: 128, disk: 1 },
  { id: '84', name: 'm1.micro', vcpus: 1, ram: 256, disk: 1 },
  { id: '1', name: 'm1.tiny', vcpus: 1, ram: 512, disk: 1 },
  { id: '2', name: 'm1.small', vcpus: 1, ram: 2048, disk: 20 },
  { id: '3', name: 'm1.medium', vcpus: 2, ram: 4096, disk: 40 },
  { id: '4', name: 'm1.large', vcpus: 4, ram: 8192, disk: 80 },
  { id: '5', name: 'm1.xlarge', vcpus: 8, ram: 16384, disk: 160 },
] as const
