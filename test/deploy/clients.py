"""clients: those that tests ask with, beside the real ones: a steady load on few connections, and a connection for
every question."""
import checks  # first: it says where the modules below are
from load import Load
from remote import Remote
from visitors import Visitors


def steady(port, host="127.0.0.1", zone="example", **options):
    return Remote(Load, port=port, host=host, zone=zone, **options)


def one_each(port, host="127.0.0.1", **options):
    return Remote(Visitors, port=port, host=host, **options)


def kdig(*arguments, server="127.0.0.1", port=53):
    """kdig over TCP, as an operator runs it."""
    return checks.output("kdig", "+tcp", f"@{server}", "-p", port, *arguments, timeout=30)


def answers(*arguments, **where):
    return "status: NOERROR" in kdig(*arguments, **where)
