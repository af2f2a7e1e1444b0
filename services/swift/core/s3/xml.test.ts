import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '#base/fault.ts'
import { child, childrenOf, parseXml, textOf, writeXml } from './xml.ts'

const parse = (text: string, root = 'Delete') => parseXml(Buffer.from(text), root)
const malformed = (thrown: unknown): boolean => isFault(thrown) && thrown.code === 'MalformedXML'

test('elements, with or without the namespace, and the five entities of XML', () => {
  for (const space of ['', ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"']) {
    const element = parse(`<?xml version="1.0" encoding="UTF-8"?>\n<Delete${space}>\n <Quiet>true</Quiet><Object><Key> a&amp;b&#x20;</Key></Object><Object><Key><![CDATA[<c>]]></Key></Object>\n</Delete>`)
    assert.equal(textOf(element, 'Quiet'), 'true')
    assert.deepEqual(childrenOf(element, 'Object').map((each) => textOf(each, 'Key')), [' a&b ', '<c>'])
    assert.equal(child(element, 'Absent'), undefined)
  }
})

test('A14: no document type, no entities, no instructions, nothing half', () => {
  for (const text of [
    '', 'x', '<Delete>', '<Delete></Other>', '<Other/>', '<Delete/><Delete/>', '<Delete>&own;</Delete>', '<Delete><?php x?></Delete>',
    '<!DOCTYPE Delete [<!ENTITY own SYSTEM "file:///etc/passwd">]><Delete>&own;</Delete>',
    `<!DOCTYPE lolz [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, i) => `<!ENTITY b${i} "&a;&a;">`).join('')}]><Delete>&b19;</Delete>`,
    `<Delete>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</Delete>`,
  ]) assert.throws(() => parse(text), malformed, text.slice(0, 60))
  assert.throws(() => parseXml(Buffer.from([0x3c, 0x44, 0xff]), 'Delete'), malformed)
})

test('what is written is read back', () => {
  const text = writeXml('Delete', { Name: 'a<b>&"c"\r', Empty: '', Absent: undefined, Count: 3, On: false, Item: [{ Key: 'x' }, { Key: 'y' }], Grantee: { '@type': 'Group', URI: 'u' } })
  assert.match(text, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<Delete xmlns="http:\/\/s3\.amazonaws\.com\/doc\/2006-03-01\/">/)
  const element = parse(text)
  assert.equal(textOf(element, 'Name'), 'a<b>&"c"\r')
  assert.deepEqual([textOf(element, 'Empty'), textOf(element, 'Absent'), textOf(element, 'Count'), textOf(element, 'On')], ['', undefined, '3', 'false'])
  assert.deepEqual(childrenOf(element, 'Item').map((each) => textOf(each, 'Key')), ['x', 'y'])
  assert.equal(child(element, 'Grantee')?.attributes.type, 'Group')
})
