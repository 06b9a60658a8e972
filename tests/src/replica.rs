//! A replica that can be killed and started again on the same port.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Which service, on which store.
#[derive(Clone)]
pub(crate) enum Service {
    Marketplace(Arc<dyn marketplace::store::Store>),
    Discourse(Arc<dyn discourse::store::Store>),
}

/// One replica of a system under test.
pub struct Replica {
    instance: String,
    address: SocketAddr,
    service: Service,
    /// Bound, never listening: keeps the port for us while the replica is dead.
    _reservation: TcpSocket,
    process: Option<JoinHandle<()>>,
}

impl Replica {
    pub(crate) fn start(instance: String, service: Service) -> Self {
        let reservation = reusable();
        reservation.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = reservation.local_addr().unwrap();
        let mut replica = Self { instance, address, service, _reservation: reservation, process: None };
        replica.revive();
        replica
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as `kill -9` would: every connection is closed at once, in the middle of whatever is going on.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.abort();
            let _ = process.await;
        }
    }

    /// Starts it again after [`Self::kill`].
    pub fn revive(&mut self) {
        assert!(self.process.is_none(), "{} is alive", self.instance);
        let listener = self.listen();
        let (instance, service) = (self.instance.clone(), self.service.clone());
        self.process = Some(tokio::spawn(async move {
            // Ends with the task.
            let shutdown = CancellationToken::new();
            let ended = match service {
                Service::Marketplace(store) => marketplace::serve(listener, instance, store, shutdown).await,
                Service::Discourse(store) => discourse::serve(listener, instance, store, shutdown).await,
            };
            ended.unwrap();
        }));
    }

    fn listen(&self) -> TcpListener {
        let socket = reusable();
        socket.bind(self.address).unwrap();
        socket.listen(1024).unwrap()
    }
}

fn reusable() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket
}
