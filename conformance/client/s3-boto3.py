"""Walks through the operations of S3 with boto3 as Debian has it. argv: endpoint of the S3 door, keys of a second project, Swift's URL of the account and a token."""
import hashlib
import json
import sys
import urllib.error
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, other_access, other_secret, swift_url, token = sys.argv[1:6]
path = Config(s3={'addressing_style': 'path'}, retries={'max_attempts': 1})
s3 = boto3.client('s3', endpoint_url=endpoint, config=path)
other = boto3.client('s3', endpoint_url=endpoint, config=path, aws_access_key_id=other_access, aws_secret_access_key=other_secret)
nobody = boto3.client('s3', endpoint_url=endpoint, config=Config(signature_version=UNSIGNED, s3={'addressing_style': 'path'}))
version2 = boto3.client('s3', endpoint_url=endpoint, config=Config(signature_version='s3', s3={'addressing_style': 'path'}))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response['Error']['Code'] == code, (code, error.response)
        return error.response
    raise AssertionError(f'{call.__name__} {arguments} was not refused')


def keys(listing, name='Contents'):
    return [one['Key'] for one in listing.get(name, [])]


def post(url, fields, content):
    body = b''.join(f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items())
    body += b'--B\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n' + content + b'\r\n--B--\r\n'
    try:
        return urllib.request.urlopen(urllib.request.Request(url, body, {'Content-Type': 'multipart/form-data; boundary=B'})).status
    except urllib.error.HTTPError as error:
        return error.code


def objects():
    s3.create_bucket(Bucket='walk')
    refused('BucketAlreadyExists', other.create_bucket, Bucket='walk')
    put = s3.put_object(Bucket='walk', Key='a/한글 +%&', Body=b'small', Metadata={'color': 'blue'}, ContentType='text/plain', ChecksumAlgorithm='SHA256')
    got = s3.get_object(Bucket='walk', Key='a/한글 +%&', ChecksumMode='ENABLED')
    assert (got['Body'].read(), got['Metadata'], got['ContentType'], got['ChecksumSHA256']) == (b'small', {'color': 'blue'}, 'text/plain', put['ChecksumSHA256'])
    assert s3.get_object(Bucket='walk', Key='a/한글 +%&', Range='bytes=1-2')['Body'].read() == b'ma'
    refused('304', s3.get_object, Bucket='walk', Key='a/한글 +%&', IfNoneMatch=put['ETag'])
    refused('PreconditionFailed', s3.get_object, Bucket='walk', Key='a/한글 +%&', IfMatch='"0"')
    version2.put_object(Bucket='walk', Key='b', Body=b'two')
    assert version2.get_object(Bucket='walk', Key='b')['Body'].read() == b'two'
    copied = s3.copy_object(Bucket='walk', Key='c', CopySource={'Bucket': 'walk', 'Key': 'a/한글 +%&'}, MetadataDirective='REPLACE', Metadata={'new': 'yes'})
    assert copied['CopyObjectResult']['ETag'] == put['ETag'] and s3.head_object(Bucket='walk', Key='c')['Metadata'] == {'new': 'yes'}
    page = s3.list_objects_v2(Bucket='walk', MaxKeys=1, Delimiter='/')
    assert page['CommonPrefixes'] == [{'Prefix': 'a/'}] and page['IsTruncated']
    assert keys(s3.list_objects_v2(Bucket='walk', Delimiter='/', ContinuationToken=page['NextContinuationToken'])) == ['b', 'c']
    assert keys(s3.list_objects(Bucket='walk', Prefix='a/')) == ['a/한글 +%&']
    attributes = s3.get_object_attributes(Bucket='walk', Key='b', ObjectAttributes=['ETag', 'ObjectSize'])
    assert (attributes['ObjectSize'], attributes['ETag']) == (3, hashlib.md5(b'two').hexdigest())
    for url in (s3.generate_presigned_url('get_object', {'Bucket': 'walk', 'Key': 'b'}), version2.generate_presigned_url('get_object', {'Bucket': 'walk', 'Key': 'b'})):
        assert urllib.request.urlopen(url).read() == b'two'
    refused('BucketNotEmpty', s3.delete_bucket, Bucket='walk')


def forms():
    form = s3.generate_presigned_post('walk', 'up/${filename}', Fields={'acl': 'public-read'}, Conditions=[{'acl': 'public-read'}, ['content-length-range', 1, 10]])
    assert post(form['url'], form['fields'], b'form') == 204
    assert nobody.get_object(Bucket='walk', Key='up/f.txt')['Body'].read() == b'form'
    assert post(form['url'], form['fields'], b'longer than ten') == 400
    assert post(form['url'], {**form['fields'], 'acl': 'private'}, b'form') == 403
    old = version2.generate_presigned_post('walk', 'up/two')
    assert post(old['url'], old['fields'], b'two') == 204


def rights():
    refused('AccessDenied', nobody.get_object, Bucket='walk', Key='b')
    refused('AccessDenied', other.list_objects_v2, Bucket='walk')
    s3.put_object_acl(Bucket='walk', Key='b', ACL='public-read')
    assert nobody.get_object(Bucket='walk', Key='b')['Body'].read() == b'two'
    assert len(s3.get_object_acl(Bucket='walk', Key='b')['Grants']) == 2
    s3.put_bucket_acl(Bucket='walk', ACL='public-read')
    assert 'b' in keys(nobody.list_objects_v2(Bucket='walk'))
    s3.put_public_access_block(Bucket='walk', PublicAccessBlockConfiguration={'IgnorePublicAcls': True})
    refused('AccessDenied', nobody.get_object, Bucket='walk', Key='b')
    s3.delete_public_access_block(Bucket='walk')
    policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::walk/c'}, {'Effect': 'Deny', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::walk/b'}]}
    s3.put_bucket_policy(Bucket='walk', Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket='walk')['Policy']) == policy and s3.get_bucket_policy_status(Bucket='walk')['PolicyStatus']['IsPublic']
    assert nobody.get_object(Bucket='walk', Key='c')['Body'].read() == b'small'
    refused('AccessDenied', s3.get_object, Bucket='walk', Key='b')
    s3.delete_bucket_policy(Bucket='walk')


def settings():
    cors = [{'AllowedOrigins': ['https://a.example'], 'AllowedMethods': ['GET']}]
    s3.put_bucket_cors(Bucket='walk', CORSConfiguration={'CORSRules': cors})
    assert s3.get_bucket_cors(Bucket='walk')['CORSRules'] == cors
    request = urllib.request.Request(f'{endpoint}/walk/b', headers={'Origin': 'https://a.example', 'Access-Control-Request-Method': 'GET'}, method='OPTIONS')
    assert urllib.request.urlopen(request).headers['access-control-allow-origin'] == 'https://a.example'
    s3.put_bucket_lifecycle_configuration(Bucket='walk', LifecycleConfiguration={'Rules': [{'ID': 'r', 'Status': 'Enabled', 'Filter': {'Prefix': 'logs/'}, 'Expiration': {'Days': 3}}]})
    assert 'rule-id="r"' in s3.put_object(Bucket='walk', Key='logs/1', Body=b'x')['Expiration']
    s3.put_object_tagging(Bucket='walk', Key='b', Tagging={'TagSet': [{'Key': 'k', 'Value': 'v'}]})
    assert s3.get_object_tagging(Bucket='walk', Key='b')['TagSet'] == [{'Key': 'k', 'Value': 'v'}]
    s3.put_bucket_website(Bucket='walk', WebsiteConfiguration={'IndexDocument': {'Suffix': 'index.html'}})
    assert s3.get_bucket_website(Bucket='walk')['IndexDocument'] == {'Suffix': 'index.html'}
    refused('NotImplemented', s3.put_bucket_replication, Bucket='walk', ReplicationConfiguration={'Role': 'r', 'Rules': [{'Status': 'Enabled', 'Destination': {'Bucket': 'x'}}]})


def parts():
    begun = s3.create_multipart_upload(Bucket='walk', Key='big', ChecksumAlgorithm='CRC32')['UploadId']
    at = {'Bucket': 'walk', 'Key': 'big', 'UploadId': begun}
    first = s3.upload_part(**at, PartNumber=1, Body=b'1' * (5 << 20), ChecksumAlgorithm='CRC32')
    second = s3.upload_part_copy(**at, PartNumber=2, CopySource='walk/b')['CopyPartResult']
    assert [one['Size'] for one in s3.list_parts(**at)['Parts']] == [5 << 20, 3]
    assert keys(s3.list_multipart_uploads(Bucket='walk'), 'Uploads') == ['big']
    refused('InvalidPart', s3.complete_multipart_upload, **at, MultipartUpload={'Parts': [{'PartNumber': 3, 'ETag': '"0"'}]})
    s3.complete_multipart_upload(**at, MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': first['ETag'], 'ChecksumCRC32': first['ChecksumCRC32']}, {'PartNumber': 2, 'ETag': second['ETag']}]})
    assert s3.get_object(Bucket='walk', Key='big', PartNumber=2)['Body'].read() == b'two'
    # The same object at Swift's door.
    request = urllib.request.Request(f'{swift_url}/walk/big', headers={'X-Auth-Token': token})
    assert urllib.request.urlopen(request).read() == b'1' * (5 << 20) + b'two'
    given_up = s3.create_multipart_upload(Bucket='walk', Key='never')['UploadId']
    s3.abort_multipart_upload(Bucket='walk', Key='never', UploadId=given_up)
    refused('NoSuchUpload', s3.list_parts, Bucket='walk', Key='never', UploadId=given_up)


def versions():
    s3.create_bucket(Bucket='walk-locked', ObjectLockEnabledForBucket=True)
    first = s3.put_object(Bucket='walk-locked', Key='k', Body=b'1', ObjectLockLegalHoldStatus='ON')['VersionId']
    second = s3.put_object(Bucket='walk-locked', Key='k', Body=b'2')['VersionId']
    marker = s3.delete_object(Bucket='walk-locked', Key='k')
    assert marker['DeleteMarker']
    gone = refused('NoSuchKey', s3.get_object, Bucket='walk-locked', Key='k')
    assert gone['ResponseMetadata']['HTTPHeaders']['x-amz-delete-marker'] == 'true'
    assert s3.get_object(Bucket='walk-locked', Key='k', VersionId=first)['Body'].read() == b'1'
    listed = s3.list_object_versions(Bucket='walk-locked')
    assert ([one['VersionId'] for one in listed['Versions']], listed['DeleteMarkers'][0]['IsLatest']) == ([second, first], True)
    refused('AccessDenied', s3.delete_object, Bucket='walk-locked', Key='k', VersionId=first)
    s3.put_object_legal_hold(Bucket='walk-locked', Key='k', VersionId=first, LegalHold={'Status': 'OFF'})
    done = s3.delete_objects(Bucket='walk-locked', Delete={'Objects': [{'Key': 'k', 'VersionId': version} for version in (first, second, marker['VersionId'])]})
    assert len(done['Deleted']) == 3 and 'Errors' not in done
    s3.delete_bucket(Bucket='walk-locked')


for part in (objects, forms, rights, settings, parts, versions):
    part()
for one in s3.list_objects_v2(Bucket='walk')['Contents']:
    s3.delete_object(Bucket='walk', Key=one['Key'])
s3.delete_bucket(Bucket='walk')
assert s3.list_buckets()['Buckets'] == []
