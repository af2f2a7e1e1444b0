/** What goes into the guest image, as data. A change of anything here, or of a file in this folder, makes a new image. */

export const ARCHITECTURE = 'amd64'
const TRIPLE = 'x86_64-linux-gnu'
/** Where the guest looks for its libraries and its loader. */
export const LIBRARY_FOLDER = `lib/${TRIPLE}`
export const LOADER = { link: 'lib64/ld-linux-x86-64.so.2', target: `/lib/${TRIPLE}/ld-linux-x86-64.so.2` }

/** The kernel is what this package depends on first. */
export const KERNEL_PACKAGE = `linux-image-cloud-${ARCHITECTURE}`
/** Packages that programs and boot code are taken from; the libraries they need are found by their dependencies. */
export const SOURCE_PACKAGES = ['busybox-static', 'dropbear-bin', 'e2fsprogs', 'fdisk', 'util-linux', 'qemu-guest-agent', 'syslinux-common'] as const

/** Programs beside busybox, by base name: ssh, growing the root, making file systems, listing disks, the guest agent. */
export const PROGRAMS = ['dropbear', 'dropbearkey', 'resize2fs', 'mke2fs', 'sfdisk', 'resizepart', 'lsblk', 'blkid', 'qemu-ga'] as const
export const PROGRAM_LINKS = { 'usr/sbin/mkfs.ext4': 'mke2fs', 'usr/sbin/mkfs.ext3': 'mke2fs' } as const

/** Kernel modules of the guest; their dependencies follow by themselves, and what is built in is left out. */
export const MODULES = [
  'virtio_pci', 'virtio_blk', 'virtio_scsi', 'virtio_net', 'virtio_console', 'virtio_balloon', 'virtio_mem', 'virtio_rng', 'virtio_mmio', 'virtio_input',
  'sd_mod', 'sr_mod', 'ata_piix', 'button', 'evdev', 'qemu_fw_cfg',
  'isofs', 'vfat', 'nls_ascii', 'nls_cp437', 'nls_iso8859-1', 'nls_utf8', 'overlay', 'loop',
  '8021q', 'virtiofs', 'vmw_vsock_virtio_transport', 'nfsv4', 'nfsv3', 'cifs',
] as const // oxfmt-ignore
/** Those that must be there before the root file system is. */
export const BOOT_MODULES = ['virtio_pci', 'virtio_mmio', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'ata_piix'] as const

export const ROOT_LABEL = 'ondol-root'
export const ROOT_UUID = '0d01a2c4-6e73-4f00-8000-0000000000d1'
export const HASH_SEED = '0d01a2c4-6e73-4f00-8000-0000000000d2'
/** MiB of the root file system (it grows to its disk at boot) and of the boot partition. */
export const ROOT_MIB = 56
export const BOOT_MIB = 20
export const DISK_ID = 0x0d01a2c4
/** Seconds since the epoch that every file of the image carries. */
export const FILE_TIME = 1_780_000_000

/**
 * tsc=unstable: under emulation on a busy host the TSC is calibrated wrongly and the guest's time runs too fast.
 * swiotlb=noforce: with room for hot-plugged memory a 128 MB guest would give 64 MB to bounce buffers and die.
 * panic=5: a guest that panics must not spin a core for ever.
 */
export const KERNEL_ARGUMENTS = `root=LABEL=${ROOT_LABEL} console=tty0 console=ttyS0,115200 no_timer_check tsc=unstable swiotlb=noforce panic=5 quiet mitigations=off net.ifnames=0`

/** The account of the image; the console and ssh take it. */
export const GUEST_LOGIN = { user: 'ondol', password: 'ondol' } as const
/** Printed on the console at the end of every boot, with the seconds since power on. */
export const READY_PATTERN = /ondol-guest: READY \((\d+\.\d+)s\)/

/** A tool that the builder runs on this machine, the Debian package it is from, and why. */
export interface HostPackage {
  package: string
  tools: readonly string[]
  why: string
}

export const HOST_PACKAGES: readonly HostPackage[] = [
  { package: 'apt', tools: ['apt-get', 'apt-cache'], why: 'finds and downloads the Debian packages of the guest' },
  { package: 'dpkg', tools: ['dpkg-deb'], why: 'unpacks them' },
  { package: 'kmod', tools: ['depmod'], why: 'tells which kernel module needs which' },
  { package: 'e2fsprogs', tools: ['mke2fs', 'debugfs'], why: 'makes the root file system from a folder, without mounting' },
  { package: 'mtools', tools: ['mformat', 'mcopy'], why: 'makes the boot partition without mounting; syslinux uses it too' },
  { package: 'syslinux', tools: ['syslinux'], why: 'installs the boot loader into the boot partition' },
  { package: 'xz-utils', tools: ['xz'], why: 'unpacks kernel modules where Debian compresses them' },
  { package: 'qemu-utils', tools: ['qemu-img'], why: 'writes the compressed qcow2' },
]
