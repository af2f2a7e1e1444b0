/** Told to every process of the cloud when a token that was valid may be so no more: judgements kept in memory are made anew. */
export const REVOKED_TOPIC = 'keystone.revoked'
export const REVOKED = 'revoked'
/** CADF events (`api/audit.ts`) of logins and changes, told to whoever serves this topic; the method is `info`. */
export const NOTIFICATIONS_TOPIC = 'keystone.notifications'
