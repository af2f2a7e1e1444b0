/** A real nginx (Debian's nginx-light) of one worker on a loopback port: what serving and taking files costs at least on this machine. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { send, type Usage } from './subject.ts'

export interface Nginx {
  url: string
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/** Undefined when it is not installed. */
export async function startNginx(): Promise<Nginx | undefined> {
  if (!existsSync('/usr/sbin/nginx')) return undefined
  const dir = await mkdtemp(join(tmpdir(), 'ondol-nginx-'))
  await chmod(dir, 0o755)
  for (const name of ['files', 'body']) await mkdir(join(dir, name), { mode: 0o777 })
  const port = await freePort()
  await writeFile(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log; user root;
events { worker_connections 512; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0; client_body_buffer_size 1m;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; scgi_temp_path ${dir}/s; uwsgi_temp_path ${dir}/u;
  server { listen 127.0.0.1:${port}; root ${dir}/files; location / { dav_methods PUT; create_full_put_path on; } location /copied/ { alias ${dir}/files/; sendfile off; output_buffers 2 256k; } }
}
`,
  )
  const child = spawn('/usr/sbin/nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: ['ignore', 'ignore', 'inherit'] })
  const url = `http://127.0.0.1:${port}`
  for (let i = 0; i < 100; i++) {
    if (await send('GET', `${url}/`).then(() => true, () => false)) break
    await delay(50)
  }
  const worker = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0])
  return {
    url,
    async usage() {
      // Nanoseconds on the processor.
      const [ns] = readFileSync(`/proc/${worker}/schedstat`, 'utf8').split(' ')
      return { cpu_ms: Number(ns) / 1e6, rss_mib: 0 }
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
    server.on('error', reject)
  })
}
