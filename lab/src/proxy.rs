//! The network between two servers, with its faults: a TCP proxy a link.
//!
//! A link forwards bytes both ways until a [`Fault`] is set, at any time, also for connections that are open. What a
//! black hole has swallowed flows on once it is over, as TCP sends again what a network has lost.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Bytes that are forwarded at once at most.
const CHUNK: usize = 16 * 1024;

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each chunk of bytes comes later, by a random time of up to this.
    Delay(Duration),
    /// All connections are reset, and so is each new one.
    Cut,
    /// Nothing comes through, either way; connections stay, and new ones are accepted.
    BlackHole,
    /// What is asked comes through; what is answered does not.
    SwallowAnswers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

impl Fault {
    /// Whether it holds back what goes this way.
    fn holds(self, way: Way) -> bool {
        match self {
            Self::BlackHole => true,
            Self::SwallowAnswers => way == Way::Back,
            Self::Delay(_) | Self::Cut => false,
        }
    }
}

/// A way from one server to another; closed with its handle.
#[derive(Debug)]
pub struct Link {
    name: String,
    address: SocketAddr,
    fault: watch::Sender<Option<Fault>>,
    forwarding: JoinHandle<()>,
}

impl Link {
    /// A way to a server that need not be there yet. The seed decides the delays.
    pub fn to(server: SocketAddr, name: String, seed: u64) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, _) = watch::channel(None);
        let forwarding = tokio::spawn(forward(listener, server, fault.clone(), fastrand::Rng::with_seed(seed)));
        Self { name, address, fault, forwarding }
    }

    /// Who is at its ends, such as `gateway-1 → discourse-2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where to connect to instead of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks the link, or mends it.
    pub fn set(&self, fault: Option<Fault>) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

async fn forward(
    listener: TcpListener,
    server: SocketAddr,
    fault: watch::Sender<Option<Fault>>,
    mut random: fastrand::Rng,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                // One that a peer has given up already is no loss, and more files than there may be is the lab's fault.
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connection(client, server, fault.subscribe(), random.fork()));
            }
        }
    }
}

/// Ends when both sides have ended, or when it is cut.
async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    fault: watch::Receiver<Option<Fault>>,
    mut random: fastrand::Rng,
) {
    let mut cut = fault.clone();
    let forwarded = async {
        let _ = client.set_nodelay(true);
        passes(&mut fault.clone(), Way::There).await?;
        let mut server = TcpStream::connect(server).await?;
        let _ = server.set_nodelay(true);
        let (from_server, to_server) = server.split();
        let (from_client, to_client) = client.split();
        let there = pump(from_client, to_server, Way::There, fault.clone(), random.fork());
        let back = pump(from_server, to_client, Way::Back, fault, random);
        tokio::try_join!(there, back).map(|_| ())
    };
    let ended = tokio::select! {
        _ = cut.wait_for(|fault| *fault == Some(Fault::Cut)) => false,
        ended = forwarded => ended.is_ok(),
    };
    if !ended {
        // The server's end learns of it by an end of the stream, as it would of a client that was killed.
        let _ = client.set_zero_linger();
    }
}

/// Forwards one way until its end, which it passes on.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    mut fault: watch::Receiver<Option<Fault>>,
    mut random: fastrand::Rng,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        let now = *fault.borrow();
        if let Some(Fault::Delay(longest)) = now {
            tokio::time::sleep(longest.mul_f64(random.f64())).await;
        }
        passes(&mut fault, way).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..length]).await?;
    }
}

/// Waits until nothing holds back what goes this way.
async fn passes(fault: &mut watch::Receiver<Option<Fault>>, way: Way) -> io::Result<()> {
    let free = fault.wait_for(|fault| !fault.is_some_and(|fault| fault.holds(way))).await;
    // The link's handle is gone.
    free.map(|_| ()).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets, and a link to it.
    async fn echo() -> Link {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let link = Link::to(listener.local_addr().unwrap(), "test → echo".to_owned(), 1);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        link
    }

    async fn say(stream: &mut TcpStream, word: &[u8; 4]) -> io::Result<[u8; 4]> {
        stream.write_all(word).await?;
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    /// Whether nothing is heard for a while.
    async fn is_silent(stream: &mut TcpStream) -> bool {
        tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await.is_err()
    }

    #[tokio::test]
    async fn what_a_fault_holds_back_comes_once_it_is_over() {
        let link = echo().await;
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(say(&mut stream, b"ping").await.unwrap(), *b"ping");
        for fault in [Fault::BlackHole, Fault::SwallowAnswers] {
            link.set(Some(fault));
            stream.write_all(b"p").await.unwrap();
            assert!(is_silent(&mut stream).await, "{fault:?}");
            let mut second = TcpStream::connect(link.address()).await.unwrap();
            second.write_all(b"q").await.unwrap();
            assert!(is_silent(&mut second).await, "{fault:?}");
            link.set(None);
            assert_eq!((stream.read_u8().await.unwrap(), second.read_u8().await.unwrap()), (b'p', b'q'));
        }
    }

    #[tokio::test]
    async fn a_cut_resets_what_is_open_and_what_is_new() {
        let link = echo().await;
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(say(&mut stream, b"ping").await.unwrap(), *b"ping");
        link.set(Some(Fault::Cut));
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let mut new = TcpStream::connect(link.address()).await.unwrap();
        assert!(say(&mut new, b"ping").await.is_err());
        link.set(None);
        let mut healed = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(say(&mut healed, b"pong").await.unwrap(), *b"pong");
    }

    #[tokio::test]
    async fn a_delay_loses_nothing_and_keeps_the_order() {
        let link = echo().await;
        link.set(Some(Fault::Delay(Duration::from_millis(5))));
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        for word in [b"once", b"upon", b"time"] {
            assert_eq!(say(&mut stream, word).await.unwrap(), *word);
        }
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "an end of the stream is passed on");
    }
}
