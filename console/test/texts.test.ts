import assert from 'node:assert/strict'
import { test } from 'node:test'
import en from '../src/text/en.json' with { type: 'json' }
import ko from '../src/text/ko.json' with { type: 'json' }

/** `a.b` → the names that stand in `{{…}}`. */
function placesOf(texts: object, prefix = ''): Record<string, string[]> {
  const places: Record<string, string[]> = {}
  for (const [key, text] of Object.entries(texts)) {
    if (typeof text === 'string') places[prefix + key] = [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name!).sort()
    else Object.assign(places, placesOf(text as object, `${prefix}${key}.`))
  }
  return places
}

test('every text is there in every language, with the same places to fill', () => {
  assert.deepEqual(placesOf(ko), placesOf(en))
})
