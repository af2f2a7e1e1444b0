/** Agents: when one counts as alive. */
export function alive(heartbeat: number, now: number, downTime: number): boolean {
  return now - heartbeat <= downTime * 1000
}
