"""The object layer of openstacksdk, as a program would use it: the cloud stands in the environment."""
import urllib.request

import openstack

cloud = openstack.connect()
with open('big', 'rb') as file:
    data = file.read()
store = cloud.object_store
cloud.create_container('sdk', public=True)
assert cloud.get_container_access('sdk') == 'public'
for name, slo in (('static', True), ('dynamic', False)):
    cloud.create_object('sdk', name, filename='big', segment_size=5_000_000, use_slo=slo, metadata={'color': 'blue'})
    assert store.download_object(name, container='sdk') == data, name
    assert not cloud.is_object_stale('sdk', name, 'big'), name
    assert store.get_object_metadata(name, container='sdk').metadata['color'] == 'blue', name
cloud.create_object('sdk', 'plain', data=b'hello')
assert [one.name for one in cloud.search_objects('sdk', 'pl*')] == ['plain']
assert b''.join(cloud.stream_object('sdk', 'plain')) == b'hello'
store.set_container_temp_url_key('sdk', 'key')
expires, signature = store.generate_form_signature('sdk', 'up/', '', 100_000, 5, 600)
fields = {'redirect': '', 'max_file_size': 100_000, 'max_file_count': 5, 'expires': expires, 'signature': signature}
body = ''.join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
body += '--x\r\nContent-Disposition: form-data; name="file"; filename="one"\r\n\r\nform\r\n--x--\r\n'
request = urllib.request.Request(store.get_endpoint() + '/sdk/up/', body.encode(), {'Content-Type': 'multipart/form-data; boundary=x'})
assert urllib.request.urlopen(request).status == 201
assert store.download_object('up/one', container='sdk') == b'form'
for container in cloud.list_containers():
    for one in cloud.list_objects(container.name):
        cloud.delete_object(container.name, one.name)
    cloud.delete_container(container.name)
assert cloud.list_containers() == []
print('fine')
