//! What a broken call tells: was it ever sent?

use std::error::Error;

/// Why a replica did not answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// The replica has surely not begun with the call: any replica may be asked instead.
    pub(super) never_sent: bool,
    pub(super) fault: Fault,
    pub(super) cause: Box<dyn Error + Send + Sync>,
}

/// Whose fault it is, and so whether to go on calling the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not well.
    Replica,
    /// The connection was just going (its age, a restart) when the call came. The replica may be well.
    Connection,
    /// The replica is well but for writes, and this call is one.
    Writes,
}

impl Failure {
    /// tonic's status code cannot tell (it is `Cancelled` both for a call that never left and for one in flight), but
    /// the chain of causes can: a failed connect, or hyper saying that it dropped the request before sending it.
    pub(super) fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        let mut link: Option<&(dyn Error + 'static)> = Some(cause.as_ref());
        let (mut unreachable, mut going) = (false, false);
        while let Some(error) = link {
            unreachable |= error.is::<tonic::ConnectError>();
            going |= error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            link = error.source();
        }
        let fault = if going && !unreachable { Fault::Connection } else { Fault::Replica };
        Self { never_sent: unreachable || going, fault, cause }
    }
}
