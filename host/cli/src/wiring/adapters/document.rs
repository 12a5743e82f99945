use std::path::Path;
use std::time::{Duration, Instant};

use toolhost_net::{AddressPolicy, TlsIdentity};
use toolhost_policy::Connection;
use toolhost_sandbox::MAX_DOCUMENT;

use super::AdapterContext;
use crate::config::Spec;
use crate::digest_files::read_at_most;
use crate::exit::CliError;
use crate::wiring::is_pipe;

/// How long fetching a document may take: the start of the host waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection's document, from its file or fetched: without a credential, without following a
/// redirect, and to addresses that the connection may have itself.
///
/// # Errors
/// It cannot be had, or is larger than any document may be.
pub(super) async fn read(
    room: &AdapterContext<'_>,
    connection: &Connection,
    spec: &Spec,
) -> Result<Vec<u8>, CliError> {
    let refuse =
        |why: String| CliError::usage(format!("connections.{}.spec: {why}", connection.name));
    let url = match spec {
        Spec::File(path) => return of_file(path).map_err(refuse),
        Spec::Url(url) => url,
    };
    let deadline = Instant::now() + PATIENCE;
    let policy = AddressPolicy::from_connection(connection);
    let cap = usize::try_from(MAX_DOCUMENT).unwrap_or(usize::MAX);
    let fetched = match &connection.ca {
        Some(pem) if url.scheme() == "https" => {
            let tls = TlsIdentity::private(pem)
                .map_err(|why| refuse(format!("connections.ca_file: {why}")))?;
            room.network
                .fetch_trusting(&tls, url, cap, deadline, &policy)
                .await
        }
        _ => {
            let allow_http = connection.allow_http;
            room.network
                .fetch(url, cap, deadline, &policy, allow_http)
                .await
        }
    };
    let bytes = fetched.map_err(|why| refuse(format!("{url} cannot be fetched: {why}")))?;
    Ok(bytes.to_vec())
}

/// A document in a file.
///
/// # Errors
/// One sentence.
pub(crate) fn of_file(path: &Path) -> Result<Vec<u8>, String> {
    let fail = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    if is_pipe(path) {
        return Err(fail(&"it is a pipe"));
    }
    if path.is_dir() {
        return Err(fail(&"it is a directory"));
    }
    read_at_most(path, MAX_DOCUMENT).map_err(|error| fail(&error))
}

/// The bytes of a digest in hexadecimal.
pub(super) fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}
