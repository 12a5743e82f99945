use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolhost_policy::Secret;
use zeroize::Zeroize;

use crate::frames::{ANSWER, ERROR, Frames, LINES};
use crate::places::{AdminPlace, AdminPlaces};
use crate::{Admin, AdminError, AdminRequest, OperationContext};

/// The socket's name in the data directory.
pub const ADMIN_SOCKET: &str = "admin.sock";

/// From the connection to the whole request. Whoever connects and says nothing keeps a place no
/// longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// For one frame of an answer. Whoever does not read it keeps a place no longer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Lines that wait for a slow reader.
const WAITING: usize = 16;

/// Opens the socket (0600) and serves until `shutdown`. A socket that a killed host left is taken
/// over: the caller has the data directory's lock.
///
/// # Errors
/// The socket cannot be made; a path longer than a Unix socket's (108 bytes) is one reason.
pub fn listen(
    data_dir: &Path,
    admin: Arc<Admin>,
    shutdown: CancellationToken,
) -> io::Result<tokio::task::JoinHandle<()>> {
    let path = data_dir.join(ADMIN_SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The directory is 0700, so nobody else reaches the socket before its own mode is set.
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(tokio::spawn(async move {
        let places = AdminPlaces::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin socket could not accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Some(place) = places.take().await else {
                tracing::warn!("the admin socket is full");
                continue;
            };
            let admin = Arc::clone(&admin);
            tokio::spawn(async move {
                if let Err(error) = serve(stream, &admin, place).await {
                    tracing::debug!(%error, "an operator's connection ended");
                }
            });
        }
        // Nobody is left to be told.
        let _ = std::fs::remove_file(&path);
    }))
}

/// Whether the process at the other end runs as this one's user, or as root. The file's mode says
/// the same; this holds where a copy of the socket, or a descriptor, was handed on.
fn is_own(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| may_ask(peer.uid(), own))
}

fn may_ask(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

async fn serve(stream: UnixStream, admin: &Arc<Admin>, place: AdminPlace) -> io::Result<()> {
    if !is_own(&stream) {
        tracing::warn!("the admin socket refused a process of another user");
        return Ok(());
    }
    let by = stream
        .peer_cred()
        .map_or_else(|_| "uid ?".to_owned(), |peer| format!("uid {}", peer.uid()));
    let mut frames = Frames::new(stream);
    let asked = tokio::select! {
        () = place.gives_way() => return Ok(()),
        asked = tokio::time::timeout(REQUEST_TIMEOUT, receive(&mut frames)) => asked,
    };
    if !place.keep() {
        return Ok(());
    }
    let (request, secret) = match asked {
        Ok(Ok(Some(asked))) => asked,
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(ReceiveError::Malformed(error))) => return refuse(&mut frames, &error).await,
        Ok(Err(ReceiveError::Broken(error))) => return Err(error),
        Err(_) => {
            return refuse(
                &mut frames,
                &AdminError::invalid("the request did not arrive in time"),
            )
            .await;
        }
    };
    let call = match &request {
        AdminRequest::Call(_) => match place.call() {
            None => {
                let error = AdminError::busy(
                    "too many calls are under way over the admin socket; try again",
                );
                return refuse(&mut frames, &error).await;
            }
            call => call,
        },
        _ => None,
    };
    let (sender, mut lines) = mpsc::channel::<Vec<u8>>(WAITING);
    // A task of its own: what has begun is finished, whether or not somebody still waits for the
    // answer.
    let work = {
        let admin = Arc::clone(admin);
        tokio::spawn(async move {
            let _call = call;
            let context = OperationContext {
                secret,
                by,
                lines: sender,
            };
            request.carry_out(&admin, context).await
        })
    };
    while let Some(some) = lines.recv().await {
        send(&mut frames, LINES, &some).await?;
    }
    let answer = work.await.unwrap_or_else(|_| {
        Err(AdminError::internal(
            "the host could not do its part; the log has the reason",
        ))
    });
    match answer {
        Ok(answer) => send(&mut frames, ANSWER, &answer).await,
        Err(error) => refuse(&mut frames, &error).await,
    }
}

async fn refuse(frames: &mut Frames, error: &AdminError) -> io::Result<()> {
    send(frames, ERROR, &serde_json::to_vec(error)?).await
}

/// Sends a frame to an operator that reads it. One that does not keeps no place.
async fn send(frames: &mut Frames, tag: u8, frame: &[u8]) -> io::Result<()> {
    let sent = tokio::time::timeout(WRITE_TIMEOUT, frames.send_tagged(tag, frame)).await;
    sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

enum ReceiveError {
    Malformed(AdminError),
    Broken(io::Error),
}

async fn receive(
    frames: &mut Frames,
) -> Result<Option<(AdminRequest, Option<Secret>)>, ReceiveError> {
    let Some(frame) = frames.receive().await.map_err(ReceiveError::Broken)? else {
        return Ok(None);
    };
    let request: AdminRequest = serde_json::from_slice(&frame).map_err(|error| {
        ReceiveError::Malformed(AdminError::invalid(format!(
            "this is not a request: {error}"
        )))
    })?;
    if !request.takes_secret() {
        return Ok(Some((request, None)));
    }
    let frame = frames.receive().await.map_err(ReceiveError::Broken)?;
    let mut frame = frame.ok_or_else(|| {
        ReceiveError::Malformed(AdminError::invalid("the secret did not follow the request"))
    })?;
    let secret = Secret::new(frame.to_vec());
    frame.as_mut().zeroize();
    Ok(Some((request, Some(secret))))
}

#[cfg(test)]
mod tests {
    use super::may_ask;

    #[test]
    fn only_the_hosts_own_user_and_root_may_ask() {
        assert!(may_ask(1000, 1000) && may_ask(0, 1000) && may_ask(0, 0));
        assert!(!may_ask(1001, 1000) && !may_ask(1000, 0));
    }
}
