/** Debian's Chromium, without its errands on the internet; and pages that tell what they should not have met. */
import { after } from 'node:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

let browser: Promise<Browser> | undefined
after(async () => (await browser)?.close())

/** A page of a person of its own; `troubles` are scripts that failed and what the content security policy refused. */
export async function openPage(origin: string, options: BrowserContextOptions = {}): Promise<{ page: Page; troubles: string[] }> {
  browser ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS })
  const context = await (await browser).newContext({ baseURL: origin, locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  const troubles: string[] = []
  page.on('pageerror', (thrown) => troubles.push(String(thrown)))
  page.on('console', (line) => {
    // Answers that are no success are said here too; they are what some tests are about.
    if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) troubles.push(line.text())
  })
  return { page, troubles }
}
