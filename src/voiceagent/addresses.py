"""Addresses that people give on a command line. Text flows in, the word whether it is one flows
out; nothing is looked up or connected to. Pure."""

from urllib.parse import urlsplit


def is_address(text: str, *schemes: str) -> bool:
    """Whether it is an absolute URL of one of the schemes, with a host and without a fragment."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    return url.scheme in schemes and bool(url.hostname) and port != 0 and not url.fragment
