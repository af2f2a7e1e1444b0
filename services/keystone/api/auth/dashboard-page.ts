/** The page that ends web single sign-on: it posts a token to the dashboard, and does nothing else. */
import { createHash } from 'node:crypto'
import type { Reply } from '#stack/route.ts'
import { UNCACHED } from './sealed.ts'

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (letter) => ENTITIES[letter]!)
const SCRIPT = "window.onload = function () { document.forms['sso'].submit() }"
const POLICY = `default-src 'none'; script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`

/** Whose the token on a page is, for the audit trail. */
const users = new WeakMap<Reply, string>()
export const tokenOnPage = (reply: Reply): string | undefined => users.get(reply)

export function dashboardPage(origin: string, token: string, user_id: string, setCookie?: string): Reply {
  const headers = { ...UNCACHED, 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'x-frame-options': 'DENY', ...(setCookie ? { 'set-cookie': setCookie } : {}) }
  const reply = { status: 200, headers, body: postBack(origin, token) }
  users.set(reply, user_id)
  return reply
}

function postBack(origin: string, token: string): string {
  return `<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Keystone WebSSO redirect</title></head>
<body><form id="sso" name="sso" action="${escape(origin)}" method="post">
<p>Please wait…</p>
<input type="hidden" name="token" id="token" value="${escape(token)}">
<noscript><input type="submit" name="submit_no_javascript" id="submit_no_javascript" value="If your JavaScript is disabled, please click to continue"></noscript>
</form><script>${SCRIPT}</script></body></html>
`
}
