/** S3's own words for what went wrong, with their statuses. Source: the list of error responses of Amazon's S3 API reference. */
import { Fault, type FaultKind } from '#base/fault.ts'

const ERRORS = {
  AccessControlListNotSupported: ['invalid', 400, 'The bucket does not allow ACLs.'],
  AccessDenied: ['forbidden', 403, 'Access Denied.'],
  AuthorizationHeaderMalformed: ['invalid', 400, 'The authorization header you provided is invalid.'],
  AuthorizationQueryParametersError: ['invalid', 400, 'The authorization query parameters that you provided are not valid.'],
  BadDigest: ['invalid', 400, 'The Content-MD5 you specified did not match what we received.'],
  BucketAlreadyExists: ['conflict', 409, 'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a different name and try again.'],
  BucketAlreadyOwnedByYou: ['conflict', 409, 'Your previous request to create the named bucket succeeded and you already own it.'],
  BucketNotEmpty: ['conflict', 409, 'The bucket that you tried to delete is not empty.'],
  ConditionalRequestConflict: ['conflict', 409, 'A conflicting operation occurred during the request.'],
  EntityTooLarge: ['invalid', 400, 'Your proposed upload exceeds the maximum allowed object size.'],
  EntityTooSmall: ['invalid', 400, 'Your proposed upload is smaller than the minimum allowed size.'],
  ExpiredToken: ['invalid', 400, 'The provided token has expired.'],
  IllegalLocationConstraintException: ['invalid', 400, 'The specified location constraint is not valid here.'],
  IllegalVersioningConfigurationException: ['invalid', 400, 'The versioning configuration specified in the request is invalid.'],
  IncompleteBody: ['invalid', 400, 'The request body terminated unexpectedly'],
  InternalError: ['internal', 500, 'An internal error occurred. Try again.'],
  InvalidAccessKeyId: ['forbidden', 403, 'The AWS access key ID that you provided does not exist in our records.'],
  InvalidArgument: ['invalid', 400, 'Invalid Argument.'],
  InvalidBucketAclWithObjectOwnership: ['invalid', 400, 'Bucket cannot have ACLs set with ObjectOwnership\'s BucketOwnerEnforced setting'],
  InvalidBucketName: ['invalid', 400, 'The specified bucket is not valid.'],
  InvalidChunkSizeError: ['forbidden', 403, 'Only the last chunk is allowed to have a size less than 8192 bytes'],
  InvalidBucketState: ['conflict', 409, 'The request is not valid for the current state of the bucket.'],
  InvalidDigest: ['invalid', 400, 'The Content-MD5 you specified was invalid.'],
  InvalidEncryptionAlgorithmError: ['invalid', 400, 'The encryption request that you specified is not valid.'],
  InvalidObjectState: ['forbidden', 403, 'The operation is not valid for the current state of the object.'],
  InvalidPart: ['invalid', 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."],
  InvalidPartNumber: ['range', 416, 'The requested partnumber is not satisfiable'],
  InvalidPartOrder: ['invalid', 400, 'The list of parts was not in ascending order. The parts list must be specified in order by part number.'],
  InvalidPolicyDocument: ['invalid', 400, 'The content of the form does not meet the conditions specified in the policy document.'],
  InvalidRange: ['range', 416, 'The requested range is not valid for the request. Try another range.'],
  InvalidRequest: ['invalid', 400, 'Invalid Request.'],
  InvalidRetentionPeriod: ['invalid', 400, 'The retention period must be a positive number of days or years.'],
  InvalidStorageClass: ['invalid', 400, 'The storage class that you specified is not valid.'],
  InvalidTag: ['invalid', 400, 'The tag provided was not a valid tag.'],
  InvalidURI: ['invalid', 400, 'The specified URI couldn\'t be parsed.'],
  KeyTooLongError: ['invalid', 400, 'Your key is too long.'],
  MalformedACLError: ['invalid', 400, 'The XML that you provided was not well formed or did not validate against our published schema.'],
  MalformedPOSTRequest: ['invalid', 400, 'The body of your POST request is not well-formed multipart/form-data.'],
  MalformedPolicy: ['invalid', 400, 'The policy is not in the valid JSON format, or names what is not supported.'],
  MalformedTrailerError: ['invalid', 400, 'The request contained trailing data that was not well-formed or did not conform to our published schema.'],
  MalformedXML: ['invalid', 400, 'The XML you provided was not well-formed or did not validate against our published schema'],
  MaxPostPreDataLengthExceeded: ['invalid', 400, 'Your POST request fields preceding the upload file were too large.'],
  MaxMessageLengthExceeded: ['invalid', 400, 'Your request was too large.'],
  MetadataTooLarge: ['invalid', 400, 'Your metadata headers exceed the maximum allowed metadata size.'],
  MethodNotAllowed: ['method_not_allowed', 405, 'The specified method is not allowed against this resource.'],
  MissingContentLength: ['length_required', 411, 'You must provide the Content-Length HTTP header.'],
  MissingRequestBodyError: ['invalid', 400, 'Request body is empty.'],
  NoSuchBucket: ['not_found', 404, 'The specified bucket does not exist.'],
  NoSuchBucketPolicy: ['not_found', 404, 'The bucket policy does not exist.'],
  NoSuchCORSConfiguration: ['not_found', 404, 'The CORS configuration does not exist'],
  NoSuchKey: ['not_found', 404, 'The specified key does not exist.'],
  NoSuchLifecycleConfiguration: ['not_found', 404, 'The lifecycle configuration does not exist.'],
  NoSuchObjectLockConfiguration: ['not_found', 404, 'The specified object does not have an ObjectLock configuration.'],
  NoSuchPublicAccessBlockConfiguration: ['not_found', 404, 'The public access block configuration was not found'],
  NoSuchTagSet: ['not_found', 404, 'The TagSet does not exist'],
  NoSuchUpload: ['not_found', 404, 'The specified multipart upload does not exist. The upload ID might not be valid, or the multipart upload might have been aborted or completed.'],
  NoSuchVersion: ['not_found', 404, 'The version ID specified in the request does not match an existing version.'],
  NoSuchWebsiteConfiguration: ['not_found', 404, 'The specified bucket does not have a website configuration'],
  NotImplemented: ['not_implemented', 501, 'A header that you provided implies functionality that is not implemented.'],
  ObjectLockConfigurationNotFoundError: ['not_found', 404, 'Object Lock configuration does not exist for this bucket'],
  OperationAborted: ['conflict', 409, 'A conflicting conditional operation is currently in progress against this resource. Try again.'],
  OwnershipControlsNotFoundError: ['not_found', 404, 'The bucket ownership controls were not found'],
  PreconditionFailed: ['precondition', 412, 'At least one of the preconditions that you specified did not hold.'],
  QuotaExceeded: ['over_quota', 403, 'The quota of this bucket or of its project is used up.'],
  ReplicationConfigurationNotFoundError: ['not_found', 404, 'The replication configuration was not found'],
  RequestTimeTooSkewed: ['forbidden', 403, 'The difference between the request time and the server\'s time is too large.'],
  RequestTimeout: ['timeout', 400, 'Your socket connection to the server was not read from or written to within the timeout period.'],
  ServerSideEncryptionConfigurationNotFoundError: ['not_found', 404, 'The server-side encryption configuration was not found.'],
  ServiceUnavailable: ['unavailable', 503, 'Service is unable to handle request.'],
  SignatureDoesNotMatch: ['forbidden', 403, 'The request signature we calculated does not match the signature you provided. Check your key and signing method.'],
  SlowDown: ['unavailable', 503, 'Please reduce your request rate.'],
  TooManyBuckets: ['invalid', 400, 'You have attempted to create more buckets than are allowed for this account.'],
  UnexpectedContent: ['invalid', 400, 'This request contains unsupported content.'],
  UnresolvableGrantByEmailAddress: ['invalid', 400, 'The email address that you provided does not match any account on record: grantees are projects, named by their id.'],
  UserKeyMustBeSpecified: ['invalid', 400, 'The bucket POST request must contain the specified field name. If it is specified, check the order of the fields.'],
  XAmzContentSHA256Mismatch: ['invalid', 400, "The provided 'x-amz-content-sha256' header does not match what was computed."],
} as const satisfies Record<string, readonly [FaultKind, number, string]>

export type S3Code = keyof typeof ERRORS

/** `extra` are further elements of the answer's XML. */
export function s3Fault(code: S3Code, message?: string, extra: Readonly<Record<string, string>> = {}): Fault {
  const [kind, , text] = ERRORS[code]
  return new Fault(kind, message ?? text, { code, data: extra })
}

/** What a fault of the rooms below is called by S3, when nobody said it in S3's words. */
const BY_KIND: Readonly<Record<FaultKind, S3Code>> = {
  invalid: 'InvalidArgument', unauthenticated: 'AccessDenied', forbidden: 'AccessDenied', not_found: 'NoSuchKey', conflict: 'OperationAborted', gone: 'NoSuchKey', too_large: 'EntityTooLarge', over_quota: 'QuotaExceeded', precondition: 'PreconditionFailed',
  unsupported_media: 'InvalidArgument', unprocessable: 'BadDigest', not_acceptable: 'InvalidRequest', method_not_allowed: 'MethodNotAllowed', range: 'InvalidRange', length_required: 'MissingContentLength', unavailable: 'ServiceUnavailable', insufficient_storage: 'QuotaExceeded',
  not_implemented: 'NotImplemented', timeout: 'RequestTimeout', internal: 'InternalError',
}

export function s3Error(fault: Fault): { code: S3Code; status: number; message: string; extra: Readonly<Record<string, string>> } {
  const code = fault.code !== undefined && fault.code in ERRORS ? (fault.code as S3Code) : BY_KIND[fault.kind]
  const said = fault.code === code
  return { code, status: ERRORS[code][1], message: fault.kind === 'internal' ? ERRORS[code][2] : fault.message, extra: said ? (fault.data as Record<string, string>) : {} }
}
