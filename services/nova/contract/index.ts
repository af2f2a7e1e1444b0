/** Everything that other houses may know of Nova. Paths are below the mount `/compute`. */
export * from './servers.ts'
export * from './metadata.ts'
