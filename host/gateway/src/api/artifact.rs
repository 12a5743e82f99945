use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::{ArtifactStore, StoredArtifact};

use super::tenant_headers::tenant_selection;
use crate::caller::RequestCaller;
use crate::problem::{not_found, problem};
use crate::shared_state::SharedState;

/// What stands as it is in an extended value (RFC 8187 section 3.2.1, `attr-char`), of what is not
/// a letter or a digit.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// No page of this origin runs what a plugin wrote, whatever it says that it is.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// `GET /api/v1/artifacts/{id}`: the bytes, to be saved and not to be shown. What is another
/// tenant's, another person's, expired or no id at all is not found, alike.
pub(crate) async fn artifact(
    State(shared): State<Arc<SharedState>>,
    Extension(artifacts): Extension<Option<Arc<ArtifactStore>>>,
    Extension(caller): Extension<RequestCaller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let binding = async {
        let said = tenant_selection(&headers)?;
        let binding = shared
            .switching
            .binding(caller.session_caller(), &said)
            .await?;
        said.check(Some(binding.tenant()))?;
        Ok(binding)
    };
    let binding = match binding.await {
        Ok(binding) => binding,
        Err(error) => return problem(&error),
    };
    let Some(artifacts) = artifacts else {
        return not_found();
    };
    match artifacts.fetch(&binding, &id).await {
        Ok(Some(artifact)) => download(artifact),
        Ok(None) => not_found(),
        Err(error) => {
            tracing::warn!(%error, "an artifact cannot be fetched");
            problem(&PublicError::new(
                ErrorCode::Internal,
                "the artifact cannot be read now; the log has the reason",
            ))
        }
    }
}

fn download(artifact: StoredArtifact) -> Response {
    let disposition = match &artifact.name {
        None => "attachment".to_owned(),
        // RFC 6266 section 4.3: the extended form alone, which every client of today reads.
        Some(name) => format!(
            "attachment; filename*=UTF-8''{}",
            utf8_percent_encode(name, EXTENDED)
        ),
    };
    let fallback = || HeaderValue::from_static("application/octet-stream");
    let kind = HeaderValue::from_str(&artifact.mime_type).unwrap_or_else(|_| fallback());
    let disposition = HeaderValue::from_str(&disposition)
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let mut response = Response::new(Body::from(artifact.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use http::header;
    use toolhost_store::StoredArtifact;

    use super::download;

    #[test]
    fn whatever_its_name_and_type_it_is_saved_and_not_shown() {
        for (name, disposition) in [
            (None, "attachment"),
            (Some("a.pdf"), "attachment; filename*=UTF-8''a.pdf"),
            (
                Some("x\"; filename=\"y.html"),
                "attachment; filename*=UTF-8''x%22%3B%20filename%3D%22y.html",
            ),
            (
                Some("é\u{202e}"),
                "attachment; filename*=UTF-8''%C3%A9%E2%80%AE",
            ),
        ] {
            let response = download(StoredArtifact {
                name: name.map(str::to_owned),
                mime_type: "text/html".into(),
                bytes: b"<script>".to_vec(),
                expires_at: 0,
            });
            let header = |name| response.headers()[name].to_str().unwrap();
            assert_eq!(header(header::CONTENT_DISPOSITION), disposition);
            assert_eq!(header(header::CONTENT_TYPE), "text/html");
            assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            assert!(header(header::CONTENT_SECURITY_POLICY).contains("sandbox"));
        }
    }
}
