# Flattens JSON: one line per scalar, its path (.a.b.0) and its value with a tab between them. A value stays on its line: what JSON
# escaped is left escaped in the way that printf %b undoes.
{ text = text $0 "\n" }
END { at = 1; end = length(text); value("") }

function space() { while (at <= end && index(" \t\r\n", substr(text, at, 1))) at++ }

function value(path, first) {
  space()
  first = substr(text, at, 1)
  if (first == "{") members(path, "}")
  else if (first == "[") members(path, "]")
  else if (first == "\"") print path "\t" string()
  else print path "\t" word()
}

function members(path, close_, count, key) {
  at++
  count = 0
  while (at <= end) {
    space()
    if (substr(text, at, 1) == close_) { at++; return }
    if (substr(text, at, 1) == ",") { at++; continue }
    if (close_ == "}") {
      key = string()
      space()
      at++ # the colon
    } else key = count++
    value(path "." key)
  }
}

function word(start) {
  start = at
  while (at <= end && !index(",]} \t\r\n", substr(text, at, 1))) at++
  if (at == start) at++ # not JSON: go on rather than stand still
  return substr(text, start, at - start)
}

function string(out, c) {
  at++
  out = ""
  while (at <= end) {
    c = substr(text, at, 1)
    at++
    if (c == "\"") return out
    if (c != "\\") { out = out c; continue }
    c = substr(text, at, 1)
    at++
    if (c == "\"" || c == "/") out = out c
    else if (c == "u") { out = out utf8(hex(substr(text, at, 4))); at += 4 }
    else out = out "\\" c
  }
  return out
}

function hex(digits, i, number) {
  number = 0
  for (i = 1; i <= 4; i++) number = number * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
  return number
}

function utf8(code) {
  if (code < 128) return octal(code)
  if (code < 2048) return octal(192 + int(code / 64)) octal(128 + code % 64)
  return octal(224 + int(code / 4096)) octal(128 + int(code / 64) % 64) octal(128 + code % 64)
}

function octal(code) { return sprintf("\\0%03o", code) }
