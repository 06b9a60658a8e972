//! What a broken call tells: was it ever sent?

use std::error::Error;

/// Why a replica did not answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// The replica has surely not begun with the call: any replica may be asked instead.
    pub(super) never_sent: bool,
    /// The replica is well but for writes: no reason to call it no more.
    pub(super) reads_only: bool,
    pub(super) cause: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// tonic's status code cannot tell (it is `Cancelled` both for a call that never left and for one in flight), but
    /// the chain of causes can: a failed connect, or hyper saying that it dropped the request before sending it.
    pub(super) fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        let mut link: Option<&(dyn Error + 'static)> = Some(cause.as_ref());
        let mut never_sent = false;
        while let Some(error) = link {
            never_sent |= error.is::<tonic::ConnectError>()
                || error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            link = error.source();
        }
        Self { never_sent, reads_only: false, cause }
    }
}
