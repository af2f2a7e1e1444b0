/** EC2 credentials of users, and what services ask about requests that were signed with them. */
import { invalid, unauthenticated } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { awsInstant, ec2Date, type Ec2Request, ec2SignatureHolds, s3Date, s3SignatureHolds } from '../core/aws-signature.ts'
import { deleteRows, findRow, findRows, insertRow } from '../store/rows.ts'
import type { CredentialRow } from '../store/tables.ts'
import { getUser } from '../store/users.ts'
import type { TokenWish } from './auth/token-office.ts'
import { tokenReply } from './auth/tokens.ts'
import { assertRoom, credentialTarget, type Ec2Blob, ec2Blob, ec2Id, sealBlob } from './credentials.ts'
import { delegationOf, refuseRestricted } from './delegation.ts'
import type { Keystone } from './house.ts'
import { at, checked, enforce, listReply, newId, there, v3 } from './steps.ts'

const MINUTE = 60_000
const WEEK = 7 * 24 * 60 * MINUTE

export function ec2Routes(house: Keystone): Route[] {
  const { db } = house
  const view = (rq: Rq, row: CredentialRow, blob: Ec2Blob): Row => ({
    user_id: row.user_id, tenant_id: row.project_id, access: blob.access, secret: blob.secret, trust_id: blob.trust_id ?? null, links: { self: v3(rq, `users/${row.user_id}/credentials/OS-EC2/${blob.access}`) },
  })
  const find = async (rq: Rq, action: string): Promise<CredentialRow> => {
    const { credential_id } = rq.params
    const row = await findRow(db, 'keystone_credentials', { id: ec2Id(credential_id!) })
    // Judged by the owner that the credential has, not by the one that the path names.
    const found = there(row?.type === 'ec2' ? row : undefined, 'credential', credential_id!)
    enforce(rq, action, credentialTarget(found))
    return found
  }
  const create = async (rq: Rq): Promise<Reply> => {
    const user_id = rq.params.user_id!
    enforce(rq, 'ec2_create_credential', { credential: { user_id } })
    refuseRestricted(rq, 'EC2 credentials')
    checked({ type: 'object', required: ['tenant_id'], properties: { tenant_id: { type: 'string', minLength: 1, maxLength: 64 } } }, rq.body)
    const project_id = (rq.body as { tenant_id: string }).tenant_id
    there(await getUser(db, user_id), 'user', user_id)
    there(await findRow(db, 'keystone_projects', { id: project_id }), 'project', project_id)
    await assertRoom(house, user_id)
    const blob: Ec2Blob = { access: newId(house), secret: house.world.random.bytes(16).toString('hex'), ...delegationOf(rq) }
    const row: CredentialRow = { id: ec2Id(blob.access), user_id, project_id, type: 'ec2', encrypted_blob: await sealBlob(house, JSON.stringify(blob)), extra: '{}' }
    await insertRow(db, 'keystone_credentials', row)
    return { json: { credential: view(rq, row, blob) } }
  }
  const list = async (rq: Rq): Promise<Reply> => {
    const user_id = rq.params.user_id!
    enforce(rq, 'ec2_list_credentials', { credential: { user_id } })
    there(await getUser(db, user_id), 'user', user_id)
    const rows = await findRows(db, 'keystone_credentials', { user_id, type: 'ec2' }, 'id')
    return listReply(rq, 'credentials', await Promise.all(rows.map(async (row) => view(rq, row, await ec2Blob(house, row)))))
  }
  const show = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'ec2_get_credential')
    return { json: { credential: view(rq, row, await ec2Blob(house, row)) } }
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'ec2_delete_credential')
    refuseRestricted(rq, 'EC2 credentials')
    await deleteRows(db, 'keystone_credentials', { id: row.id })
    return {}
  }

  const validateEc2 = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'ec2tokens_validate')
    const body = (rq.body ?? {}) as { ec2Credentials?: Ec2Request; credentials?: Ec2Request }
    const request = body.ec2Credentials ?? body.credentials
    if (typeof request !== 'object' || request === null || typeof request.access !== 'string' || typeof request.signature !== 'string') throw invalid('Expecting to find ec2Credentials with access and signature in the request body.', { field: 'ec2Credentials' })
    const { row, blob } = await credentialOf(house, request.access)
    const made = ec2Date(request)
    const date = made === undefined ? undefined : awsInstant(made)
    const expires = request.params?.Expires === undefined ? undefined : awsInstant(request.params.Expires)
    if (date === undefined && expires === undefined) refused('The signed request carries no date')
    const now = house.world.clock.now()
    if ((date !== undefined && Math.abs(now - date) > house.config.credential.auth_ttl * MINUTE) || (expires !== undefined && expires < now)) refused('The signature is too old')
    if (!ec2SignatureHolds(request, blob.secret)) refused('Wrong signature')
    return tokenReply(house, await wishOf(house, row, blob), true, 200)
  }

  const validateS3 = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 's3tokens_validate')
    checked(
      { type: 'object', required: ['credentials'], properties: { credentials: { type: 'object', required: ['access', 'signature', 'token'], properties: { access: { type: 'string' }, signature: { type: 'string' }, token: { type: 'string' } } } } },
      rq.body,
    )
    const { access, signature, token } = (rq.body as { credentials: { access: string; signature: string; token: string } }).credentials
    const { row, blob } = await credentialOf(house, access)
    const text = Buffer.from(token, 'base64').toString()
    const date = awsInstant(s3Date(text) ?? '')
    const now = house.world.clock.now()
    // A pre-signed URL lives up to a week by its own words, which only the object store can read.
    if (date !== undefined && (date - now > house.config.credential.auth_ttl * MINUTE || now - date > WEEK)) refused('The signature is too old')
    if (!s3SignatureHolds({ text, signature }, blob.secret)) refused('Wrong signature')
    return tokenReply(house, await wishOf(house, row, blob), true, 200)
  }

  const path = '/v3/users/{user_id}/credentials/OS-EC2'
  return [
    at('GET', path, 'ec2_credentials.list', 200, list),
    at('POST', path, 'ec2_credentials.create', 201, create),
    at('GET', `${path}/{credential_id}`, 'ec2_credentials.show', 200, show),
    at('DELETE', `${path}/{credential_id}`, 'ec2_credentials.delete', 204, remove),
    at('POST', '/v3/ec2tokens', 'ec2tokens.validate', 200, validateEc2),
    at('POST', '/v3/s3tokens', 's3tokens.validate', 200, validateS3),
  ]
}

function refused(detail: string): never {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

async function credentialOf(house: Keystone, access: string): Promise<{ row: CredentialRow; blob: Ec2Blob }> {
  const row = await findRow(house.db, 'keystone_credentials', { id: ec2Id(access) })
  if (!row || row.type !== 'ec2' || row.project_id === null) throw unauthenticated('The request you have made requires authentication.', { detail: 'No such access key' })
  return { row, blob: await ec2Blob(house, row) }
}

/** The token is bound to whatever the credential was made with. */
async function wishOf(house: Keystone, row: CredentialRow, blob: Ec2Blob): Promise<TokenWish> {
  const trust = blob.trust_id ? await findRow(house.db, 'keystone_trusts', { id: blob.trust_id }) : undefined
  return {
    // With a trust that impersonates, the credential is in the trustor's name and the token the trustee's.
    user_id: trust?.trustee_user_id ?? row.user_id,
    project_id: row.project_id!,
    methods: ['ec2credential'],
    ...(blob.trust_id ? { trust_id: blob.trust_id } : {}),
    ...(blob.app_cred_id ? { application_credential_id: blob.app_cred_id } : {}),
    ...(blob.access_token_id ? { access_token_id: blob.access_token_id } : {}),
  }
}
