/** What one pastes into S3's clients. Everything in it is of the cloud's own making: keys of letters and digits, an address, a region. */
export interface S3Place {
  /** The cloud's own address: https://cloud.example.org */
  origin: string
  region: string
}

export const endpointOf = ({ origin }: S3Place): string => `${origin}/s3`

export function s3Lines({ access, secret }: { access: string; secret: string }, place: S3Place): Record<'aws' | 'rclone' | 's3cmd', string> {
  const endpoint = endpointOf(place)
  const { host, protocol } = new URL(place.origin)
  return {
    aws: [`export AWS_ACCESS_KEY_ID=${access}`, `export AWS_SECRET_ACCESS_KEY=${secret}`, `export AWS_DEFAULT_REGION=${place.region}`, `aws --endpoint-url ${endpoint} s3 ls`].join('\n'),
    rclone: ['# ~/.config/rclone/rclone.conf', '[ondol]', 'type = s3', 'provider = Other', `access_key_id = ${access}`, `secret_access_key = ${secret}`, `endpoint = ${endpoint}`, `region = ${place.region}`, 'force_path_style = true', '# rclone lsd ondol:'].join('\n'),
    // It knows no path before the bucket; signed requests are served at the root, too.
    s3cmd: ['# ~/.s3cfg', '[default]', `access_key = ${access}`, `secret_key = ${secret}`, `host_base = ${host}`, `host_bucket = ${host}`, `bucket_location = ${place.region}`, `use_https = ${protocol === 'https:' ? 'True' : 'False'}`, '# s3cmd ls'].join('\n'),
  }
}
