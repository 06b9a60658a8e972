"""The key that signs tokens and the keys that verify them, as `capsim keys` makes them, where capsim is not built. Needs openssl."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys


def base64url(some):
    return base64.urlsafe_b64encode(some).decode().rstrip("=")


def make():
    """A new Ed25519 key: {"JWT_KEY": PKCS#8 in PEM, "JWKS": JSON Web Key Set}."""
    if not shutil.which("openssl"):
        sys.exit("openssl is missing: it makes the key that signs tokens")
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    # RFC 8410: the key itself is the last 32 bytes. RFC 7638: its id is the digest of what it is, the names in order.
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public[-32:])}
    thumbprint = hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest()
    jwk |= {"kid": base64url(thumbprint), "alg": "EdDSA", "use": "sig"}
    return {"JWT_KEY": key.decode(), "JWKS": json.dumps({"keys": [jwk]})}
