"""pki: a throw-away certificate authority and the server certificates that tests need, by the openssl command (ECDSA
P-256).
"""
import subprocess

SERVER_NAME = "cloudflare-dns.com"

#: kind -> (whom the certificate is for, days of life, who signs)
LEAVES = {
    "right": (f"DNS:{SERVER_NAME},DNS:one.one.one.one", 30, "ca"),
    "renewed": (f"DNS:{SERVER_NAME}", 60, "ca"),
    "other-name": ("DNS:dns.example.net", 30, "ca"),
    "address-only": ("IP:127.0.0.1", 30, "ca"),
    "other-ca": (f"DNS:{SERVER_NAME}", 30, "other"),
    "expired": (f"DNS:{SERVER_NAME}", -1, "ca"),
    "self-signed": (f"DNS:{SERVER_NAME}", 30, None),
}


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True)


class Pki:
    """Files NAME.pem (certificate and chain) and NAME.key in `folder`; the trusted authority is ca.pem."""

    def __init__(self, folder):
        self.folder = folder
        self._authority("ca")
        self._authority("other")
        for kind, (names, days, signer) in LEAVES.items():
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
        _openssl(self.folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def _authority(self, name):
        self._key(name)
        _openssl(self.folder, "req", "-x509", "-new", "-key", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                 "-subj", f"/CN=Test Root {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _leaf(self, kind, names, days, signer):
        self._key(kind)
        extensions = self.folder / f"{kind}.ext"
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        _openssl(self.folder, "req", "-new", "-key", f"{kind}.key", "-out", f"{kind}.csr", "-subj", "/CN=Test")
        sign = ["-signkey", f"{kind}.key"] if signer is None else \
               ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial"]
        _openssl(self.folder, "x509", "-req", "-in", f"{kind}.csr", "-out", f"{kind}.pem", "-days", str(days),
                 "-extfile", f"{kind}.ext", *sign)
        if signer is not None:
            with open(self.folder / f"{kind}.pem", "a", encoding="ascii") as chain:
                chain.write((self.folder / f"{signer}.pem").read_text())
