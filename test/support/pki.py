"""pki: a throw-away certificate authority and the server certificates that tests need, by the openssl command (ECDSA
P-256).
"""
import datetime
import subprocess

SERVER_NAME = "cloudflare-dns.com"
OTHER_NAME = "one.one.one.one"

#: kind -> (whom the certificate is for, days of life, who signs); below zero: it ended so many days ago
LEAVES = {
    "right": (f"DNS:{SERVER_NAME},DNS:one.one.one.one", 30, "ca"),
    "renewed": (f"DNS:{SERVER_NAME},DNS:one.one.one.one", 60, "ca"),
    "other-name": ("DNS:dns.example.net", 30, "ca"),
    "address-only": ("IP:127.0.0.1", 30, "ca"),
    "other-ca": (f"DNS:{SERVER_NAME}", 30, "other"),
    "expired": (f"DNS:{SERVER_NAME}", -1, "ca"),
    "self-signed": (f"DNS:{SERVER_NAME}", 30, None),
}

#: For `openssl ca`, the only command whose certificates may begin and end at any time in every OpenSSL from 3.0 on.
AUTHORITY = """[ca]
default_ca = default
[default]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
"""


class OpensslError(AssertionError):
    """The command failed; its text says why."""


def openssl(folder, *arguments):
    """The openssl command in `folder`."""
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OpensslError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")


class Pki:
    """Files NAME.pem (certificate and chain) and NAME.key in `folder`; the trusted authority is ca.pem."""

    def __init__(self, folder, leaves=None):
        """`leaves`: the certificates to make, as LEAVES, which is the default."""
        self.folder = folder
        self._authority("ca")
        self._authority("other")
        for kind, (names, days, signer) in (leaves or LEAVES).items():
            self._leaf(kind, names, days, signer)

    @property
    def ca_file(self):
        return str(self.folder / "ca.pem")

    @property
    def other_ca_file(self):
        return str(self.folder / "other.pem")

    def certificate(self, kind="right"):
        return str(self.folder / f"{kind}.pem"), str(self.folder / f"{kind}.key")

    def _key(self, name):
        openssl(self.folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def _authority(self, name):
        self._key(name)
        openssl(self.folder, "req", "-x509", "-new", "-key", f"{name}.key", "-out", f"{name}.pem", "-days", 30,
                "-subj", f"/CN=Test Root {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _leaf(self, kind, names, days, signer):
        self._key(kind)
        extensions = self.folder / f"{kind}.ext"
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        openssl(self.folder, "req", "-new", "-key", f"{kind}.key", "-out", f"{kind}.csr", "-subj", "/CN=Test")
        if days < 0:
            self._sign_ended(kind, days, signer)
        else:
            sign = ["-signkey", f"{kind}.key"] if signer is None else \
                   ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial"]
            openssl(self.folder, "x509", "-req", "-in", f"{kind}.csr", "-out", f"{kind}.pem", "-days", days,
                    "-extfile", f"{kind}.ext", *sign)
        if signer is not None:
            with open(self.folder / f"{kind}.pem", "a", encoding="ascii") as chain:
                chain.write((self.folder / f"{signer}.pem").read_text())

    def _sign_ended(self, kind, days, signer):
        """A certificate of 30 days that ended -`days` days ago."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
        start = end - datetime.timedelta(days=30)
        (self.folder / "index").touch()
        configuration = self.folder / f"{signer}.cnf"
        configuration.write_text(AUTHORITY.format(folder=self.folder))
        openssl(self.folder, "ca", "-batch", "-notext", "-config", configuration,
                "-cert", f"{signer}.pem", "-keyfile", f"{signer}.key",
                "-in", f"{kind}.csr", "-out", f"{kind}.pem", "-extfile", f"{kind}.ext",
                "-startdate", f"{start:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}")
