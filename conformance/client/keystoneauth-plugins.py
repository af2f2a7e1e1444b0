"""Every way of logging in that Debian's keystoneauth has and that needs nothing outside of this cloud, one after the other.

stdin: {"url", "username", "password", "project"}; stdout: {plugin: {"methods", "project", "user"}} as Keystone says of the token.
"""
import base64
import hashlib
import hmac
import json
import struct
import sys
import time

from keystoneauth1 import loading, session
from keystoneclient.v3 import client

wish = json.load(sys.stdin)
user = {"username": wish["username"], "password": wish["password"], "user_domain_id": "default"}
scope = {"project_name": wish["project"], "project_domain_id": "default"}
said = {}


def log_in(name, **options):
    loader = loading.get_plugin_loader(name)
    opened = session.Session(auth=loader.load_from_options(auth_url=wish["url"], **options))
    token = opened.get_token()
    answer = opened.get(wish["url"] + "/auth/tokens", headers={"X-Subject-Token": token}).json()["token"]
    said[name] = {"methods": answer["methods"], "project": answer.get("project", {}).get("name"), "user": answer["user"]["name"]}
    return opened, answer


def code_of(secret):
    counter = struct.pack(">Q", int(time.time()) // 30)
    mac = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    at = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


opened, token = log_in("v3password", **user, **scope)
keystone = client.Client(session=opened, endpoint_override=wish["url"])
me, here = token["user"]["id"], token["project"]["id"]

log_in("v3token", token=opened.get_token(), **scope)
log_in("password", **user, **scope)
log_in("token", token=opened.get_token(), **scope)

secret = base64.b32encode(b"12345678901234567890").decode()
keystone.credentials.create(user=me, type="totp", blob=secret)
log_in("v3totp", username=user["username"], user_domain_id="default", passcode=code_of(secret), **scope)

one = keystone.application_credentials.create("plugin", user=me)
log_in("v3applicationcredential", application_credential_id=one.id, application_credential_secret=one.secret)

consumer = keystone.oauth1.consumers.create()
request = keystone.oauth1.request_tokens.create(consumer.id, consumer.secret, here)
verifier = keystone.oauth1.request_tokens.authorize(request.key, [role["id"] for role in token["roles"]]).oauth_verifier
access = keystone.oauth1.access_tokens.create(consumer.id, consumer.secret, request.key, request.secret, verifier)
log_in("v3oauth1", consumer_key=consumer.id, consumer_secret=consumer.secret, access_key=access.key, access_secret=access.secret)

# Last: from here on a password alone is not enough.
keystone.users.update(me, options={"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]})
try:
    log_in("v3password", **user, **scope)
    said["half"] = "taken"
except Exception as refused:
    said["half"] = type(refused).__name__
# A code is good for its half minute, and both halves of the answer need the same.
log_in("v3multifactor", auth_methods=["v3password", "v3totp"], username=user["username"], password=user["password"], passcode=code_of(secret), user_domain_id="default", **scope)

json.dump(said, sys.stdout)
