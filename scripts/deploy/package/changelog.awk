# changelog: CHANGELOG.md in the form of a Debian changelog: usage: awk -v version=VERSION -v now=SECONDS -f changelog.awk
# CHANGELOG.md. The newest entry gets `version`, which is the package's, and the time `now` where it has no date yet.

function debian_date(text,    command, date) {
  command = "LC_ALL=C date -u -R -d '" text "'"
  command | getline date
  close(command)
  return date
}

# The item that was read, in lines of 78 columns.
function write_item(    words, count, i, line) {
  count = split(item, words, " ")
  if (count && !parted) print ""
  if (count) parted = 1
  line = "  *"
  for (i = 1; i <= count; i++) {
    if (length(line) + 1 + length(words[i]) > 78) {
      print line
      line = "   "
    }
    line = line " " words[i]
  }
  if (count) print line
  item = ""
}

function end_entry() {
  write_item()
  if (date) print "\n -- the dns-tls-proxy maintainers <maintainers@dns-tls-proxy.example.org>  " date "\n"
}

/^## \[/ {
  end_entry()
  name = substr($2, 2, length($2) - 2)
  date = debian_date($4 ? $4 : "@" now)
  print "dns-tls-proxy (" (entries++ ? name : version) ") stable; urgency=medium"
  parted = 0 # from what follows
  next
}
!entries { next }
/^### / { write_item(); print "\n  [ " substr($0, 5) " ]"; parted = 1; next }
/^- / { write_item(); item = substr($0, 3); next }
/^$/ { write_item(); next }
{ item = item " " $0 }
END { end_entry() }
