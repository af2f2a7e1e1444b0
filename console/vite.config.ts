/** Two pages: the dashboard and the screen of a server. Everything is served below /console (see cloud/console.ts). */
import { resolve } from 'node:path'
import { defineConfig } from 'vite'

const root = import.meta.dirname

// What the dashboard may see of the server's code: contracts, and the words they are written in.
const contracts = { find: /^#(nova|keystone|glance|neutron|cinder|placement)\/contract\//, replacement: `${resolve(root, '../services')}/$1/contract/` }

export default defineConfig({
  base: '/console/',
  resolve: { alias: [contracts, { find: '#stack/contract.ts', replacement: resolve(root, '../stack/contract.ts') }] },
  build: {
    target: 'es2022',
    // The content security policy allows no data: URL but for images.
    assetsInlineLimit: 0,
    // `cloud/console.ts` caches these names for ever: they hold a hash of their content.
    assetsDir: 'assets',
    // Libraries say 'use client' for servers that render; this one does not.
    rolldownOptions: {
      checks: { moduleLevelDirective: false },
      input: [resolve(root, 'index.html'), resolve(root, 'vnc.html')],
    },
  },
  server: { proxy: Object.fromEntries(['/identity', '/compute', '/image', '/networking', '/volume', '/placement', '/v1', '/info'].map((path) => [path, 'http://127.0.0.1:5000'])) },
})
