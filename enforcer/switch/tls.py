"""TLS to a switch: whom we believe, and what is wrong with one that we do not, in one line.

In: the settings of a switch, what Python's ssl complains of. Out: a context that verifies certificate and
host name, always: a switch that is not who it says would be told our key and could allow every call. A
certificate that nobody else vouches for is its own authority: name it as `tls_ca`.
Refuses to know: what is said over the connection.
"""

from __future__ import annotations

import ssl

from enforcer.settings_switch import SwitchSettings
from enforcer.settings_tls import believing

_SELF_SIGNED = frozenset({18, 19})      # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, _SELF_SIGNED_CERT_IN_CHAIN
# X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, _CERT_SIGNATURE_FAILURE (an authority of the same name, another key),
# _UNABLE_TO_GET_ISSUER_CERT_LOCALLY, _UNABLE_TO_VERIFY_LEAF_SIGNATURE
_UNKNOWN = frozenset({2, 7, 20, 21})
_NOT_YET, _EXPIRED = 9, 10              # X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED
_NAME = frozenset({62, 64})             # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH


def context_of(switch: SwitchSettings) -> ssl.SSLContext | None:
    """How to speak TLS to this switch, None where all goes in the clear. Raises BadInput where the file
    `tls_ca` cannot be used."""
    return believing(switch.tls_path, f"switch {switch.name}", "tls_ca") if switch.tls else None


def words(problem: ssl.SSLError) -> str:
    """What is wrong, and what to do about it."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {_certificate(problem)}"
    if problem.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "what listens there speaks no TLS (is this the port of tlsbindaddr?)"
    reason = (problem.reason or str(problem)).replace("_", " ").lower()
    return f"TLS failed: {reason}"


def _certificate(problem: ssl.SSLCertVerificationError) -> str:
    code = problem.verify_code
    if code in _SELF_SIGNED:
        return "it is signed by itself or by an authority unknown here (name that one's file: tls_ca)"
    if code in _UNKNOWN:
        return "its authority is not the one that vouches here (tls_ca names another, or none)"
    if code == _EXPIRED:
        return "it has expired"
    if code == _NOT_YET:
        return "it is not valid yet (is our clock right?)"
    if code in _NAME:
        return f"{problem.verify_message.rstrip('.')} (tls_name says which name it has)"
    return problem.verify_message.rstrip(".")
