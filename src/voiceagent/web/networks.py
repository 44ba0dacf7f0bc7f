"""Addresses of peers: what counts as one customer, who is trusted, who is of the open internet.

Texts flow in as the server tells them, answers flow out. Pure; whatever is no address is a name
of its own.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def network_of(address: str) -> str:
    """What counts together with this address: it alone, of version 6 the whole /64, since one
    customer has that many."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"{int(parsed) >> 64:x}/64"
    return address if parsed is None else str(parsed)


def is_public(address: str) -> bool:
    """Whether it is one of the open internet: no proxy, probe or program of our own network."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_global


def is_one_of(address: str, trusted: Iterable[str]) -> bool:
    """Whether it is listed, by itself or by its network (`FORWARDED_ALLOW_IPS`)."""
    for entry in (part.strip() for part in trusted):
        try:
            if ip_address(address) in ip_network(entry, strict=False):
                return True
        except ValueError:
            if entry == address:
                return True
    return False


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # A socket for both versions tells those of version 4 so; they are not one customer.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
