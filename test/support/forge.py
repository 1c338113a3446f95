"""forge: certificates of every kind, right and wrong, for tests of what is accepted. Needs Debian's
python3-cryptography; what that cannot make is made by the openssl command.
"""
import datetime
import functools
import ipaddress
import itertools
import pathlib
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = datetime.datetime.utcnow().replace(microsecond=0)
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
          "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
EKU = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH,
       "mail": ExtendedKeyUsageOID.EMAIL_PROTECTION, "code": ExtendedKeyUsageOID.CODE_SIGNING,
       "ocsp": ExtendedKeyUsageOID.OCSP_SIGNING, "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
       "sgc": ObjectIdentifier("2.16.840.1.113730.4.1")}
CURVES = {"p192": ec.SECP192R1, "p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1,
          "p521": ec.SECP521R1}


def days(count):
    return NOW + datetime.timedelta(days=count)


def new_key(kind):
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return (ed25519.Ed25519PrivateKey if kind == "ed25519" else ed448.Ed448PrivateKey).generate()


@functools.cache
def key(kind="p256", number=0):
    """The same key for the same arguments: making RSA keys takes long."""
    del number
    return new_key(kind)


class Certificate:
    """A certificate and the key that is in it."""

    def __init__(self, certificate, own_key, key_text=None):
        self.certificate, self.key, self._key_text = certificate, own_key, key_text

    @property
    def subject(self):
        return self.certificate.subject

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self):
        if self._key_text:
            return self._key_text
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()


def named(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def general_names(names):
    """"dns:x", "ip:x", "uri:x", "mail:x"; without a kind: a DNS name."""
    kinds = {"dns": x509.DNSName, "uri": x509.UniformResourceIdentifier, "mail": x509.RFC822Name,
             "ip": lambda text: x509.IPAddress(ipaddress.ip_address(text))}
    for name in names:
        kind, _, text = name.partition(":") if name.split(":")[0] in kinds else ("dns", "", name)
        yield kinds[kind](text)


def usage(wanted):
    return x509.KeyUsage(**{name: name in wanted for name in USAGES})


def constraints(permitted, excluded):
    subtrees = [list(general_names(names)) or None for names in (permitted, excluded)]
    return x509.NameConstraints(*subtrees)


SERIALS = itertools.count(1000)


def issue(subject, issuer=None, own_key=None, *, ca=None, length=None, use=None, eku=None, eku_critical=False, san=(),
          life=(-2, 30), digest="SHA256", permitted=(), excluded=(), unknown_critical=False, malformed=None,
          signer=None, aki=True):
    """A certificate of version 3. `issuer` None: self-signed. `ca` None: without basic constraints. `signer`: the key
    that signs where it is not the issuer's. `malformed`: the identifier of an extension that gets no content of its
    kind. `life`: days from now, from and until.
    """
    own_key = own_key or key("p256", subject)
    signing = signer or (issuer.key if issuer else own_key)
    builder = (x509.CertificateBuilder().subject_name(named(subject)).public_key(own_key.public_key())
               .issuer_name(issuer.subject if issuer else named(subject)).serial_number(next(SERIALS))
               .not_valid_before(days(life[0])).not_valid_after(days(life[1])))
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, length if ca else None), critical=True)
    if use is not None:
        builder = builder.add_extension(usage(use), critical=True)
    if eku is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([EKU[name] for name in eku]), critical=eku_critical)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(general_names(san)), critical=False)
    if permitted or excluded:
        builder = builder.add_extension(constraints(permitted, excluded), critical=True)
    if unknown_critical:
        extension = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        builder = builder.add_extension(extension, critical=True)
    if malformed:
        builder = builder.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(malformed), b"\x30\x03\x04"), False)
    if aki:
        signing_public = issuer.key.public_key() if issuer else own_key.public_key()
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own_key.public_key()), False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_public), False)
    pure = isinstance(signing, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
    return Certificate(builder.sign(signing, None if pure else getattr(hashes, digest)()), own_key)


def root(subject="Test Root", own_key=None, **options):
    return issue(subject, None, own_key, **{"ca": True, "use": ("key_cert_sign", "crl_sign"), **options})


def intermediate(issuer, subject="Test Intermediate", own_key=None, **options):
    return issue(subject, issuer, own_key, **{"ca": True, "use": ("key_cert_sign", "crl_sign"), **options})


def leaf(issuer, san=("cloudflare-dns.com",), own_key=None, subject="Test Server", **options):
    return issue(subject, issuer, own_key,
                 **{"ca": False, "use": ("digital_signature",), "eku": ("server",), "san": san, **options})


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True)


def by_openssl(folder, key_arguments, subject, issuer=None, extensions="", sign=()):
    """A certificate that the library above cannot make. Without `extensions` it has version 1."""
    folder = pathlib.Path(folder)
    _openssl(folder, *key_arguments, "-out", "new.key")
    _openssl(folder, "req", "-new", "-key", "new.key", "-out", "new.csr", "-subj", f"/CN={subject}")
    arguments = ["x509", "-req", "-in", "new.csr", "-out", "new.pem", "-days", "30", "-set_serial", str(next(SERIALS))]
    if issuer:
        (folder / "issuer.pem").write_text(issuer.pem())
        (folder / "issuer.key").write_text(issuer.key_pem())
        arguments += ["-CA", "issuer.pem", "-CAkey", "issuer.key"]
    else:
        arguments += ["-signkey", "new.key"]
    if extensions:
        (folder / "new.ext").write_text(extensions)
        arguments += ["-extfile", "new.ext"]
    _openssl(folder, *arguments, *sign)
    certificate = x509.load_pem_x509_certificate((folder / "new.pem").read_bytes())
    key_text = (folder / "new.key").read_text()
    try:
        own_key = serialization.load_pem_private_key(key_text.encode(), None)
    except ValueError:
        own_key = None  # a kind the library does not know: it is for servers only
    return Certificate(certificate, own_key, key_text)
