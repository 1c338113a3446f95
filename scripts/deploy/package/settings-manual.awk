# settings-manual: the program's own reference of its settings, and the list of resolvers (docs/RESOLVERS.md) behind it,
# from Markdown to the manual page dns-tls-proxy.yaml(5). It knows what they are made of: headings, paragraphs, lists,
# fenced blocks, a table of name, default, allowed, what a change needs, meaning, and one of resolvers.

function escaped(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  gsub(/'/, "\\(aq", text)
  return text
}

# `code` becomes bold; a dot at the start of a line must not be taken for a request.
function inline(text,    parts, count, i, out) {
  count = split(escaped(text), parts, "`")
  for (i = 1; i <= count; i++) out = out (i % 2 ? parts[i] : "\\fB" parts[i] "\\fR")
  return out ~ /^[.]/ ? "\\&" out : out
}

function trimmed(text) {
  gsub(/^ +| +$/, "", text)
  return text
}

function unquoted(text) {
  gsub(/`/, "", text)
  return text
}

BEGIN {
  print ".TH DNS-TLS-PROXY.YAML 5 \"\" \"dns-tls-proxy @VERSION@\" \"File Formats\""
  print ".SH NAME"
  print "dns-tls-proxy.yaml \\- configuration of dns-tls-proxy"
  print ".SH DESCRIPTION"
}

/^```/ { fenced = !fenced; print fenced ? ".PP\n.in +4n\n.EX" : ".EE\n.in"; next }
fenced { line = escaped($0); print line ~ /^[.]/ ? "\\&" line : line; next }
/^# Well-known resolvers/ { resolvers = 1; print ".SH WELL\\-KNOWN RESOLVERS"; next }
/^# / { next }
/^Written by / { skipped = 1; next }
skipped && !/^$/ { next }
skipped { skipped = 0; next }

/^## / {
  section = substr($0, 4)
  print ".SH " toupper(section)
  prefix = section == "General" ? "" : section "."
  next
}

/^\| *(setting|resolver|---)/ || /^\|--/ { next }
# What it does; its TLS name, and its addresses with commas between them.
resolvers && /^\|/ {
  split($0, cell, "|")
  addresses = unquoted(trimmed(cell[5]))
  gsub(/ /, ", ", addresses)
  print ".TP\n\\fB" escaped(trimmed(cell[2])) "\\fR"
  print inline(trimmed(cell[3])) "; " inline(trimmed(cell[4])) " at " escaped(addresses)
  next
}
/^\|/ {
  split($0, cell, "|")
  print ".TP\n\\fB" escaped(prefix unquoted(trimmed(cell[2]))) "\\fR"
  print inline(trimmed(cell[6]))
  print ".br\nDefault: " inline(trimmed(cell[3])) "; allowed: " inline(trimmed(cell[4])) "; changes by a " trimmed(cell[5]) "."
  next
}

/^- / { print ".IP \\(bu 2\n" inline(substr($0, 3)); listed = 1; next }
/^  / && listed { print inline(trimmed($0)); next }
/^$/ { listed = 0; gap = 1; next }
{ if (gap) print ".PP"; gap = 0; print inline($0) }

END {
  print ".SH FILES\n.TP\n.I /etc/dns-tls-proxy/dns-tls-proxy.yaml\nThe settings the systemd service uses."
  print ".SH SEE ALSO\n.BR dns-tls-proxy (8)"
}
