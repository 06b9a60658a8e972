//! Who may connect: so many in all, so many of one address, and nobody kept out by those who say nothing.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{AbortHandle, JoinSet},
};

use super::{
    descriptors::{self, Descriptor},
    life::Life,
    limits::Limits,
};
use crate::counts::{Counted, Counts};

/// What a peer reads that is refused.
const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
     content-length: 45\r\nretry-after: 1\r\nconnection: close\r\n\r\ntoo many connections, try again in a second\r\n";
/// Refused peers that are waited for, so that they read it; of more the connection is just closed.
const REFUSALS: usize = 64;
/// How long.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    /// Connections at most: [`Limits::connections`], or three quarters of what the process can have, so that one server
    /// under attack leaves some to the others.
    max: usize,
    peers: Counts<IpAddr>,
    /// Those that had not spoken when last looked at, the oldest first.
    silent: VecDeque<Silent>,
    refusals: JoinSet<()>,
}

#[derive(Debug)]
struct Silent {
    life: Arc<Life>,
    peer: IpAddr,
    task: AbortHandle,
}

impl Silent {
    fn is_over(&self) -> bool {
        self.life.has_spoken() || self.task.is_finished()
    }
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        let max = limits.connections.min((descriptors::for_connections() / 4).saturating_mul(3)).max(1);
        Self { limits, max, peers: Counts::default(), silent: VecDeque::new(), refusals: JoinSet::new() }
    }

    /// A place for one more connection, besides the `open` ones. Where all places are taken, or all of this address, the
    /// oldest connection that has not yet said anything goes; `None` where there is none.
    pub(super) fn admit(&mut self, address: IpAddr, open: usize) -> Option<Place> {
        let peer = network(address.to_canonical());
        while self.silent.front().is_some_and(Silent::is_over) {
            self.silent.pop_front();
        }
        let unbounded = self.is_unbounded(address.to_canonical());
        if !unbounded && self.peers.of(peer) >= self.limits.connections_per_peer {
            self.displace(|silent| silent.peer == peer)?;
        } else if open >= self.max || descriptors::are_taken() {
            self.displace(|_| true)?;
        }
        let _peer = self.peers.enter(peer, usize::MAX)?;
        Some(Place { _peer, _descriptor: Descriptor::take() })
    }

    /// Who has a place now, in `task`.
    pub(super) fn placed(&mut self, life: Arc<Life>, address: IpAddr, task: AbortHandle) {
        // One that is long silent hides those behind it that are not.
        if self.silent.len() >= 2 * self.max {
            self.silent.retain(|silent| !silent.is_over());
        }
        self.silent.push_back(Silent { life, peer: network(address.to_canonical()), task });
    }

    fn displace(&mut self, whom: impl Fn(&Silent) -> bool) -> Option<()> {
        let oldest = self.silent.iter().position(|silent| !silent.is_over() && whom(silent))?;
        self.silent.remove(oldest)?.task.abort();
        Some(())
    }

    /// Says so in as many words.
    pub(super) fn refuse(&mut self, stream: TcpStream) {
        while self.refusals.try_join_next().is_some() {}
        if self.refusals.len() < REFUSALS {
            self.refusals.spawn(async move {
                let _ = tokio::time::timeout(REFUSAL_TIME, refused(stream)).await;
            });
        }
    }

    fn is_unbounded(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.limits.proxies.iter().any(|network| network.contains(&address))
    }
}

/// Reads what the peer still says: closing a socket with bytes to read would reset it, and the answer with it.
async fn refused(mut stream: TcpStream) {
    if stream.write_all(REFUSAL.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
        let mut unwanted = [0; 1024];
        while stream.read(&mut unwanted).await.is_ok_and(|bytes| bytes > 0) {}
    }
}

/// What counts as one peer: an address of IPv4, or a /64 of IPv6, which is one customer's, usually.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _peer: Counted<IpAddr>,
    _descriptor: Descriptor,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_peer: usize) -> Admission {
        let proxies = ["192.0.2.0/24".parse().expect("network")].into();
        Admission::new(Limits { connections, connections_per_peer, proxies, ..Limits::default() })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    /// A connection that lasts, and has spoken or not.
    fn place(admission: &mut Admission, peer: &str, spoken: bool) -> AbortHandle {
        let life = Arc::new(Life::default());
        if spoken {
            drop(life.request(false));
        }
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        admission.placed(life, address(peer), task.clone());
        task
    }

    #[test]
    fn the_refusal_says_its_length() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").expect("head and body");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn an_address_has_so_many_connections_and_not_one_more() {
        let mut admission = admission(100, 2);
        let places: Vec<_> = (0..2).map(|_| admission.admit(address("203.0.113.1"), 0).expect("admitted")).collect();
        assert!(admission.admit(address("203.0.113.1"), 2).is_none());
        assert!(admission.admit(address("::ffff:203.0.113.1"), 2).is_none());
        assert!(admission.admit(address("203.0.113.2"), 2).is_some());
        drop(places);
        assert!(admission.admit(address("203.0.113.1"), 0).is_some());
        assert!(admission.peers.is_empty(), "who has gone is forgotten");
    }

    #[test]
    fn one_ipv6_network_counts_as_one_and_proxies_and_loopback_as_many() {
        let mut admission = admission(100, 1);
        let _place = admission.admit(address("2001:db8:1:2:3::4"), 0).expect("admitted");
        assert!(admission.admit(address("2001:db8:1:2::5"), 1).is_none());
        let _other = admission.admit(address("2001:db8:1:3::4"), 1).expect("admitted");
        for many in ["127.0.0.1", "::1", "192.0.2.7"] {
            let places: Vec<_> = (0..5).map(|open| admission.admit(address(many), open)).collect();
            assert!(places.iter().all(Option::is_some), "{many}");
        }
    }

    #[tokio::test]
    async fn the_oldest_that_says_nothing_makes_room() {
        let mut admission = admission(3, 100);
        let (speaks, first, second) = (
            place(&mut admission, "127.0.0.1", true),
            place(&mut admission, "127.0.0.1", false),
            place(&mut admission, "127.0.0.1", false),
        );
        assert!(admission.admit(address("127.0.0.1"), 3).is_some());
        tokio::task::yield_now().await;
        assert_eq!([&speaks, &first, &second].map(AbortHandle::is_finished), [false, true, false]);
        assert!(admission.admit(address("127.0.0.1"), 3).is_some());
        assert!(admission.admit(address("127.0.0.1"), 3).is_none(), "all others speak");
    }

    #[tokio::test]
    async fn an_address_makes_room_for_itself_alone() {
        let mut admission = admission(100, 1);
        let other = place(&mut admission, "203.0.113.2", false);
        let own = place(&mut admission, "203.0.113.1", false);
        let _place = admission.admit(address("203.0.113.1"), 2).expect("admitted");
        assert!(admission.admit(address("203.0.113.1"), 2).is_some());
        tokio::task::yield_now().await;
        assert!(own.is_finished() && !other.is_finished());
    }
}
