//! Whose address a request comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap},
};
use ipnet::IpNet;
use runtime::server::network;

/// The client's address, as limits count it: of IPv6 the network, a /64, which is one customer's, usually.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions, trusted: &[IpNet]) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical());
        Self(network(client(peer, headers, trusted)))
    }
}

/// The nearest address that is no proxy we trust: `X-Forwarded-For` is read from the right, where each proxy adds who asked
/// it, and only as far as a trusted proxy wrote it. A hop that is no address ends the walk: what stands left of it anybody
/// may have written, so the proxy that named it so counts.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer;
    // From right to left, and so are several headers, which are one list.
    let mut hops =
        headers.get_all("x-forwarded-for").iter().rev().flat_map(|value| value.as_bytes().rsplit(|b| *b == b','));
    while is_proxy(&nearest)
        && let Some(hop) = hops.next().and_then(address)
    {
        nearest = hop;
    }
    nearest
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim_ascii();
    let bare = || hop.parse::<IpAddr>().ok();
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(in_brackets).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who a request is from, with the proxies 10.0.0.0/8 and fd00::/8 trusted.
    fn from(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("network"));
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().expect("address"), 1)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("value"));
        }
        ClientAddress::of(&headers, &extensions, &trusted).0.to_string()
    }

    #[test]
    fn x_forwarded_for_is_believed_as_far_as_trusted_proxies_wrote_it() {
        for (peer, forwarded, client) in [
            // A peer that is no proxy says nothing of others.
            ("9.9.9.9", &["1.2.3.4"][..], "9.9.9.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            // What the client wrote itself stands on the left.
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.0.0.2,10.0.0.3"], "1.2.3.4"),
            // Every way to write an address, with ports, brackets and spaces.
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4:5678"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6,\t1.2.3.4 , 10.0.0.2:80 "], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 2001:db8:1:2:3::4"], "2001:db8:1:2::"),
            ("10.0.0.1", &["6.6.6.6, [2001:db8:1:2:3::4]"], "2001:db8:1:2::"),
            ("10.0.0.1", &["6.6.6.6, [2001:db8:1:2:3::4]:443, [fd00::1]:80"], "2001:db8:1:2::"),
            ("10.0.0.1", &["6.6.6.6, ::ffff:1.2.3.4"], "1.2.3.4"),
            // What is no address ends the walk at the proxy that wrote it.
            ("10.0.0.1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["6.6.6.6, _hidden:80, 10.0.0.2:80"], "10.0.0.2"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4:"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4:65536"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.256"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, [1.2.3.4]"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, [2001:db8::1"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, fe80::1%eth0"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4;"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6,"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6", ""], "10.0.0.1"),
            // All of them are proxies: the one that is furthest away.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(from(peer, forwarded), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_hop_of_bytes_that_are_no_text_ends_the_walk() {
        let mut headers = HeaderMap::new();
        let value = axum::http::HeaderValue::from_bytes(b"6.6.6.6, \xff").expect("value");
        headers.insert("x-forwarded-for", value);
        let peer: IpAddr = "10.0.0.1".parse().expect("address");
        assert_eq!(client(peer, &headers, &["10.0.0.0/8".parse().expect("network")]), peer);
    }

    #[test]
    fn one_ipv6_network_counts_as_one() {
        assert_eq!(from("2001:db8:1:2:3::4", &[]), from("2001:db8:1:2::5", &[]));
        assert_ne!(from("2001:db8:1:2::4", &[]), from("2001:db8:1:3::4", &[]));
        assert_ne!(from("9.0.0.1", &[]), from("9.0.0.2", &[]));
    }
}
