/** Everything that other houses may know of Neutron. Paths are below the mount `/networking`. */
export * from './network.ts'
export * from './router.ts'
export * from './security-group.ts'
export * from './quota.ts'
